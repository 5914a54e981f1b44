"""Keywords that are not there: what was meant, and where it goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models import ENCODERS, tokenizer

from attnwidget import AttentionWidget


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
