"""Keywords that are not there: what was meant, and where it goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models import ENCODERS, tokenizer

from attnwidget import AttentionWidget
from attnwidget.wire.schema import SCHEMA


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"model": 1}, r"'model': .*AttentionWidget\.from_model\(model, tokenizer, text\)"),
        ({"tokenizer": 1}, r"'tokenizer': .*AttentionWidget\.from_model\("),
        ({"attention": 1}, r"'attention': .*AttentionWidget\.from_arrays\(attention, tokens\)"),
        ({"outputs": 1}, r"'outputs': .*AttentionWidget\.from_outputs\("),
        ({"nheads": 2}, "'nheads'; did you mean 'n_heads'"),
    ],
)
def test_a_sentence_s_widget_points_to_the_others(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises(TypeError, match=f"unknown keyword {wanted}"):
        AttentionWidget("the cat sat", **given)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"device": "cpu"}, r"'device': the model runs where its weights are: model\.to\(\.\.\.\)"),
        ({"dtype": 1}, r"'dtype': .*model\.to\(dtype\) before"),
        ({"max_length": 4}, r"'max_length': it goes into tokenize=\{'max_length': 4\}"),
        ({"truncation": True}, r"'truncation': it goes into tokenize=\{'truncation': True\}"),
        ({"add_special_tokens": False}, r"tokenize=\{'add_special_tokens': False\}"),
        ({"padding": True}, r"tokenize=\{'padding': True\}"),
        ({"return_tensors": "pt"}, "'return_tensors': a text is made into tensors here"),
        ({"max_new_tokens": 9}, r"'max_new_tokens': it goes into generate=\{'max_new_tokens': 9\}"),
        ({"stopping_criteria": print}, r"it goes into generate=\{'stopping_criteria': \.\.\.\}"),
        ({"input_ids": [3]}, r"'input_ids': .* inputs=\{\.\.\.\}"),
        ({"output_attentions": True}, "'output_attentions': it is not needed"),
        ({"layers": 2}, "'layers'; did you mean 'layer'"),
    ],
)
def test_a_model_s_options_have_their_places(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises(TypeError, match=f"unknown keyword .*{wanted}"):
        AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat", **given)


def test_the_hints_are_right() -> None:
    """What a hint says can be written as it says."""
    model, words = ENCODERS["bert"](), tokenizer()
    w = AttentionWidget.from_model(model, words, "the cat sat", tokenize={"max_length": 2})
    assert len(w.tokens) == 2
    assert AttentionWidget.from_model(model, inputs={"input_ids": [3]}).attention == 1


def test_no_hint_of_a_model_where_there_is_none() -> None:
    with pytest.raises(TypeError, match="unknown keyword 'max_length'; "):
        AttentionWidget.from_arrays(np.eye(2), ["a", "b"], max_length=3)


def all_settings(w: AttentionWidget) -> dict[str, Any]:
    """Every trait that may be set, with the value of `w`; a report is made by the widget alone."""
    named = {name: getattr(w, name) for name, row in SCHEMA.items() if row.is_settable}
    return {name: value for name, value in named.items() if name not in ("tokens", "report")}


def test_the_constructor_takes_every_trait_that_may_be_set() -> None:
    w = AttentionWidget("a b c d", key_tokens="u v w", n_heads=2, d_model=6, seed=4)
    w.mask, w.presets = np.eye(4, 3), {"causal": True}
    w.mistake, w.selection, w.head, w.view = "no-scale", (2, 1), 1, "steps"
    w.quantity, w.color_scale, w.temperature, w.title = "scores", "map", 0.5, "mine"
    wanted = all_settings(w)
    assert len(wanted) > 25
    again = AttentionWidget(w.tokens, **wanted)
    for name, value in all_settings(again).items():
        np.testing.assert_array_equal(value, wanted[name], err_msg=name)
    np.testing.assert_array_equal(again.report.weights, w.report.weights)


def test_a_model_s_widget_takes_the_traits_of_a_map() -> None:
    model, words = ENCODERS["bert"](), tokenizer()
    w = AttentionWidget.from_model(
        model, words, "the cat sat", mistake="wrong-axis", selection=(1, 0)
    )
    assert (w.mistake, w.selection) == ("wrong-axis", (1, 0))
    w = AttentionWidget.from_arrays(np.eye(2), ["a", "b"], selection=(1, 0), temperature=2)
    assert (w.selection, w.temperature) == ((1, 0), 2)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"mistake": "no-scales"}, "mistake: got 'no-scales'"),
        ({"selection": (3, 0)}, "selection"),
        ({"head": 1}, "head: got 1"),
        ({"report": 1}, "report: it is made by check"),
    ],
)
def test_a_wrong_value_is_refused_in_words(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises((TypeError, ValueError), match=wanted):
        AttentionWidget("the cat sat", **given)
