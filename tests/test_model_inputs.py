"""The models, texts and arguments that a capture accepts, and errors for the others."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np
import pytest
import torch
from family_models import TEXT, TOLERANCE, N, eager, family, inputs_of, one_thread, state
from models import (
    N_HEADS,
    N_LAYERS,
    POSITIONS,
    REFUSED,
    VOCABULARY,
    tokenizer,
)

from attnwidget.capture.source import ModelSource

__all__ = ["one_thread"]  # a fixture that every test uses


@pytest.mark.parametrize("name", REFUSED)
def test_other_models_are_refused_with_what_is_supported(name: str) -> None:
    reason, make = REFUSED[name]
    model = make()
    before = state(model)
    with pytest.raises(ValueError, match=reason) as caught:
        ModelSource.capture(model, tokenizer(), TEXT)
    assert type(model).__name__ in str(caught.value)
    assert "Supported is every" in str(caught.value)
    assert state(model) == before


def test_without_transformers_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, words = family("bert"), tokenizer()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r'pip install "attnwidget\[models\]"'):
        ModelSource.capture(model, words, TEXT)


@pytest.mark.parametrize("name", ["indices", "block_indices", "sinks"])
def test_a_call_of_unknown_attention_is_refused(name: str) -> None:
    """What no configuration tells shows in the call itself."""
    model = copy.deepcopy(family("llama"))
    layer = model.get_submodule("model.layers.1.self_attn")
    layer.register_forward_pre_hook(
        lambda _, args, given: (args, {**given, name: torch.zeros(N_HEADS)}), with_kwargs=True
    )
    before = state(model)
    with pytest.raises(ValueError, match=r"Llama.* in model\.layers\.1\.self_attn\. Supported"):
        ModelSource.capture(model, tokenizer(), TEXT)
    assert state(model) == before


def test_a_bias_inside_the_mask_is_added_to_the_scores() -> None:
    inputs, _ = inputs_of("none")
    added = torch.linspace(-2, 0, N * N).view(1, 1, N, N)
    inputs["attention_mask"] = added
    one = ModelSource.capture(family("bert"), None, inputs=inputs).head(0, 0)
    assert one.locked is None
    np.testing.assert_array_equal(one.bias, added[0, 0].numpy())


def test_an_additive_mask_is_read_as_a_mask() -> None:
    inputs, _ = inputs_of("none")
    hidden = np.zeros((N, N), bool)
    hidden[1, 4:] = hidden[5, 2] = True
    lowest = torch.finfo(torch.float32).min
    inputs["attention_mask"] = torch.from_numpy(hidden)[None, None] * lowest
    source = ModelSource.capture(family("bert"), None, inputs=inputs)
    np.testing.assert_array_equal(source.head(0, 1).locked, hidden)


def test_heads_may_be_masked_apart() -> None:
    inputs, _ = inputs_of("none")
    hidden = np.zeros((N_HEADS, N, N), bool)
    hidden[2, 1, 4:] = hidden[3, 5, 2] = True
    inputs["attention_mask"] = torch.from_numpy(~hidden)[None]
    source = ModelSource.capture(family("bert"), None, inputs=inputs)
    for head in range(N_HEADS):
        np.testing.assert_array_equal(source.head(0, head).locked, hidden[head])
    np.testing.assert_array_equal(source.weights(0) == 0, hidden)


@pytest.mark.parametrize(
    ("name", "most"), [("bert", POSITIONS), ("roberta", POSITIONS - 1), ("gpt2", POSITIONS)]
)
def test_a_text_longer_than_the_positions_is_refused(name: str, most: int) -> None:
    model = family(name)
    assert len(ModelSource.capture(model, tokenizer(), "cat " * most).tokens) == most
    wanted = f"text: got {most + 1} tokens, want at most {most}, "
    with pytest.raises(ValueError, match=wanted):
        ModelSource.capture(model, tokenizer(), "cat " * (most + 1))


def test_a_tokenizer_of_another_model_is_refused() -> None:
    words = tokenizer()
    words.add_tokens([f"extra{index}" for index in range(VOCABULARY)])
    with pytest.raises(ValueError, match=r"tokenizer: got token id 53, want 0\.\.39"):
        ModelSource.capture(family("bert"), words, "cat extra39")


def test_weights_on_the_meta_device_are_refused() -> None:
    model = copy.deepcopy(family("bert"))
    torch.nn.Module.to(model, "meta")
    with pytest.raises(ValueError, match="model: BertModel has parameters on the meta device"):
        ModelSource.capture(model, tokenizer(), TEXT)


@pytest.mark.parametrize(
    ("change", "error", "wanted"),
    [
        ({"model": "bert"}, TypeError, "model: got builtins.str, want a transformers PreTrained"),
        (
            {"model": torch.nn.Linear(2, 3)},
            TypeError,
            r"model: got torch\.nn\.modules\.linear\.Linear",
        ),
        ({"tokenizer": "bert"}, TypeError, "tokenizer: got str, want a transformers tokenizer"),
        ({"text": ["a"]}, TypeError, "text: got list, want a str"),
        ({"text": ("a", 3)}, TypeError, "text: got int, want a str"),
        ({"text": None}, TypeError, "text: want either a text or inputs="),
        ({"inputs": {}}, TypeError, "text: want either a text or inputs="),
        ({"text": None, "inputs": 1}, TypeError, "inputs: got int, want what the model"),
        ({"text": None, "inputs": {}}, TypeError, "inputs: got dict, want what the model"),
        ({"batch_index": 1}, ValueError, "batch_index: got 1, want 0"),
        ({"text": ""}, ValueError, "text: got '', which gives no tokens"),
        ({"text": " \n"}, ValueError, "text: got .* which gives no tokens"),
    ],
)
def test_wrong_arguments_are_named(
    change: dict[str, Any], error: type[Exception], wanted: str
) -> None:
    arguments: dict[str, Any] = {
        "model": family("bert"), "tokenizer": tokenizer(), "text": TEXT, **change,
    }  # fmt: skip
    with pytest.raises(error, match=wanted):
        ModelSource.capture(**arguments)


def test_a_batch_shows_the_row_that_is_asked_for() -> None:
    """Each row is what the model computes of it alone, padding aside."""
    model = family("llama")
    short, _ = inputs_of("left")
    long, _ = inputs_of("none")
    both = {name: torch.cat([long[name], short[name]]) for name in long}
    for row, alone in enumerate((long, short)):
        source = ModelSource.capture(model, None, inputs=both, batch_index=row)
        for layer in range(N_LAYERS):
            wanted = eager(model, alone)[layer]
            real = np.flatnonzero(alone["attention_mask"][0].numpy())
            got = source.weights(layer)
            np.testing.assert_allclose(got[:, real], wanted[:, real], rtol=0, atol=TOLERANCE)
    with pytest.raises(ValueError, match=r"batch_index: got 2, want 0\.\.1"):
        ModelSource.capture(model, None, inputs=both, batch_index=2)
