"""Every architecture of the zoo: weights are those of its own eager attention, nothing is left."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, N_PADDING, Architecture
from architectures_eager import eager
from transformers import PreTrainedModel

from attnwidget.capture.source import SINK, ModelSource

TOLERANCE = 1e-6
# T5 doesn't scale its scores: in float32, sdpa's rounding and eager's drift apart by 1.3e-6.
DOUBLE = {"t5"}
CASES = [
    (name, how)
    for name, one in ARCHITECTURES.items()
    for how in ("plain", "padded")
    if how == "plain" or one.padded is not None
]


@cache
def model_of(name: str) -> PreTrainedModel:
    model = ARCHITECTURES[name].make()
    return model.double() if name in DOUBLE else model


def inputs_of(one: Architecture, how: str) -> dict[str, torch.Tensor]:
    inputs = one.inputs() if how == "plain" else one.padded and one.padded()
    assert inputs
    return inputs


def of_stack(source: ModelSource, stack: str, layer: int) -> ModelSource:
    """The source with the stack shown that has this layer: maps of another size are another one."""
    names = [x.stack for x in source.layers if x.stack.split()[0] == stack and x.index == layer]
    assert len(names) == 1
    return source.of(names[0])


@pytest.mark.parametrize(("name", "how"), CASES)
def test_weights_are_those_of_eager_attention(name: str, how: str) -> None:
    one, model = ARCHITECTURES[name], model_of(name)
    inputs = inputs_of(one, how)
    source = ModelSource.capture(model, None, inputs=inputs)
    found: dict[str, list[int]] = {}
    for layer in source.layers:
        found.setdefault(layer.stack.split()[0], []).append(layer.index)
    assert {stack: sorted(numbers) for stack, numbers in found.items()} == {
        stack: list(numbers) for stack, numbers in one.layers.items()
    }
    expected = eager(model, inputs)
    assert {key[0] for key in expected} == set(one.layers)
    for (stack, layer), wanted in expected.items():
        shown = of_stack(source, stack, layer)
        weights = shown.weights(layer)
        # What a padding token would see is not defined: libraries differ, and nobody reads it.
        padded = how == "padded" and stack in {"self", "encoder"}
        real = slice(N_PADDING if padded else 0, None)
        assert weights.shape == wanted.shape
        np.testing.assert_allclose(weights[:, real], wanted[:, real], rtol=0, atol=TOLERANCE)
        assert np.ptp(wanted[:, real], axis=-1).max() > 0.02
        assert len(shown.tokens) == weights.shape[1]
        keys = shown.tokens if shown.key_tokens is None else shown.key_tokens
        assert len([key for key in keys if key != SINK]) == weights.shape[2]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_head_gives_its_map_and_its_output(name: str) -> None:
    one, model = ARCHITECTURES[name], model_of(name)
    source = ModelSource.capture(model, None, inputs=inputs_of(one, "plain"))
    for layer in source.layers:
        shown = source.of(layer.stack)
        weights = shown.weights(layer.index)
        for head in range(layer.n_heads):
            inputs = shown.head(layer.index, head)
            np.testing.assert_allclose(
                shown.weights(layer.index, head), weights[head], rtol=0, atol=3e-6
            )
            if inputs.Q is None:
                assert name == "longformer"
                continue
            assert inputs.V is not None
            assert inputs.V.shape[0] == inputs.shape[1]


def answer(output: Any) -> torch.Tensor:
    found = output
    while not torch.is_tensor(found):
        values = found.values() if hasattr(found, "values") else found
        found = next(v for v in values if v is not None)
    return found


def found_in(model: PreTrainedModel) -> dict[str, Any]:
    """Everything that a run might leave behind in a model.

    Hooks that transformers installs once in a model, in the first pass that wants hidden states or
    attentions, are left out: every pass installs them, a plain one too.
    """
    once = "_output_capturing_hooks_installed"
    return {
        "attributes": [sorted(set(vars(module)) - {once}) for module in model.modules()],
        "kinds": [type(module) for module in model.modules()],
        "hooks": [
            [
                [hook for hook in value.values() if "output_capturing" not in str(hook)]
                for key, value in vars(module).items()
                if "hooks" in key and isinstance(value, dict)
            ]
            for module in model.modules()
        ],
        "implementations": [
            module.config._attn_implementation
            for module in model.modules()
            if hasattr(module, "config")
        ],
        "training": [module.training for module in model.modules()],
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_model_is_left_as_found_after_a_run_and_an_error(name: str) -> None:
    one = ARCHITECTURES[name]
    model, inputs = copy.deepcopy(model_of(name)), inputs_of(one, "plain")
    before = found_in(model)
    source = ModelSource.capture(model, None, inputs=inputs)
    assert found_in(model) == before
    # The module around it: BigBird puts new attention modules in the place of the old.
    last = model.get_submodule(source.layers[-1].module.rpartition(".")[0])

    def stop(*_: Any) -> None:
        raise RuntimeError("stop here")

    hook = last.register_forward_hook(stop)
    before_error = found_in(model)
    with pytest.raises(RuntimeError, match="stop here"):
        ModelSource.capture(model, None, inputs=inputs)
    assert found_in(model) == before_error
    hook.remove()
    with torch.no_grad():
        expected, got = answer(model_of(name)(**inputs)), answer(model(**inputs))
    assert torch.equal(got, expected)


def test_a_sink_is_a_column_of_its_own() -> None:
    model = model_of("gpt-oss")
    inputs = inputs_of(ARCHITECTURES["gpt-oss"], "plain")
    source = ModelSource.capture(model, None, inputs=inputs)
    wanted = eager(model, inputs)["self", 1]
    assert source.key_tokens is not None
    assert source.key_tokens[-1] == SINK
    inputs_of_head = source.head(1, 2)
    scores = inputs_of_head.scores(np.float64)
    locked = inputs_of_head.locked
    shown = np.exp(scores - scores.max(axis=1, keepdims=True))
    shown[locked] = 0
    shown /= shown.sum(axis=1, keepdims=True)
    # The sink's column holds what transformers' rows lack.
    np.testing.assert_allclose(shown[:, -1], 1 - wanted[2].sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(shown[:, :-1], wanted[2], atol=1e-6)
    assert (shown[:, -1] > 1e-3).any()
