"""A capture leaves the model, its settings and its caches as they were."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from family_models import TEXT, TOLERANCE, family, first_tensor, inputs_of, one_thread, state
from models import (
    FAMILIES,
    tokenizer,
)
from transformers import (
    PreTrainedModel,
)
from zoo.common import inputs_of as zoo_inputs
from zoo.common import model_of

from attnwidget.capture.source import ModelSource

__all__ = ["one_thread"]  # a fixture that every test uses


def fresh(name: str, implementation: str) -> PreTrainedModel:
    """A model in training, but for one part that its user put into evaluation."""
    model = copy.deepcopy(family(name))
    model.set_attn_implementation(implementation)
    model.train()
    next(m for m in model.modules() if "Attention" in type(m).__name__).eval()
    return model


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_model_is_left_as_found(name: str, implementation: str) -> None:
    model = fresh(name, implementation)
    before = state(model)
    weights = copy.deepcopy(model.state_dict())
    ModelSource.capture(model, tokenizer(), TEXT)
    assert state(model) == before
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    inputs, _ = inputs_of("none")
    first_tensor(model(**inputs)).sum().backward()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["bert", "albert", "gpt2", "llama"])
def test_an_interrupted_pass_leaves_the_model_as_found(
    name: str, error: type[BaseException]
) -> None:
    model = fresh(name, "sdpa")
    attention = [m for m in model.modules() if "Attention" in type(m).__name__]

    def stop(*_: Any) -> None:
        assert not torch.is_grad_enabled()
        raise error("stop here")

    attention[-1].register_forward_hook(stop)
    before = state(model)
    with pytest.raises(error, match="stop here"):
        ModelSource.capture(model, tokenizer(), TEXT)
    assert state(model) == before


def test_the_pass_runs_in_evaluation_even_where_the_model_trains() -> None:
    model = copy.deepcopy(family("bert"))
    assert model.config.attention_probs_dropout_prob > 0
    expected = ModelSource.capture(model, tokenizer(), TEXT).weights(2)
    got = ModelSource.capture(model.train(), tokenizer(), TEXT).weights(2)
    np.testing.assert_array_equal(got, expected)


def test_packed_texts_are_read_as_a_plain_pass_reads_them() -> None:
    """Positions that begin again: transformers reads them as packed texts without a cache alone."""
    model = family("llama")
    inputs = {"input_ids": torch.tensor([[5, 7, 2, 9, 11, 3, 4]])}
    inputs["position_ids"] = torch.tensor([[0, 1, 2, 0, 1, 2, 3]])
    with torch.no_grad():
        wanted = first_tensor(model(**inputs))
    during: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda *_: during.append(first_tensor(_[-1])))
    ModelSource.capture(model, None, inputs=inputs)
    hook.remove()
    assert torch.equal(during[0], wanted)


@pytest.mark.parametrize("wrap", ["call", "forward", "layer"])
def test_a_compiled_model_is_captured_as_it_was_written(wrap: str) -> None:
    model = copy.deepcopy(family("llama"))
    wanted = ModelSource.capture(model, tokenizer(), TEXT)
    if wrap == "call":
        model.compile()
    elif wrap == "forward":
        model.forward = torch.compile(model.forward)
    else:
        model.model.layers[1] = torch.compile(model.model.layers[1])
    source = ModelSource.capture(model, tokenizer(), TEXT)
    for layer in source.layers:
        np.testing.assert_array_equal(source.weights(layer.index), wanted.weights(layer.index))
    assert torch._dynamo.eval_frame._stance.stance == "default"


def test_a_cache_that_evaluation_fills_does_not_outlive_the_capture() -> None:
    """LeViT computes its biases once in evaluation, and again after the next train()."""
    model = copy.deepcopy(model_of("levit")).train()
    caches = [m.attention_bias_cache for m in model.modules() if hasattr(m, "attention_bias_cache")]
    assert caches
    ModelSource.capture(model, None, inputs=zoo_inputs("levit", "plain"))
    assert not any(caches)


def test_a_scripted_module_that_trains_is_refused() -> None:
    class Noise(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.dropout(x, 0.5, self.training)

    model = copy.deepcopy(family("bert"))
    model.encoder.layer[0].output.dropout = torch.jit.script(Noise())
    with pytest.raises(ValueError, match=r"scripted module in training mode.*model\.eval\(\)"):
        ModelSource.capture(model.train(), tokenizer(), TEXT)
    assert ModelSource.capture(model.eval(), tokenizer(), TEXT).layers


def test_a_model_set_up_for_its_own_attentions_is_taken_too() -> None:
    model = copy.deepcopy(family("bert"))
    expected = ModelSource.capture(model, tokenizer(), TEXT).weights(1)
    model.set_attn_implementation("eager")
    model.config.output_attentions = True
    got = ModelSource.capture(model, tokenizer(), TEXT).weights(1)
    # The layer before it has run under eager in place of sdpa, and rounds in another way.
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)
    assert model.config.output_attentions
