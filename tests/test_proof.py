"""The proof of a capture: weights that the model did not compute with are named or refused."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from models import FAMILIES, N_LAYERS, tokenizer
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from attnwidget import AttentionWidget
from attnwidget.capture.heads import layer_weights
from attnwidget.capture.records import Call, hidden
from attnwidget.capture.source import ModelSource

TEXT = "the cat sat on the mat and slept there"
NAME = "attention_of_a_user"


def attend(
    query: Any, key: Any, value: Any, mask: Any, scale: float, change: Callable[[Any], Any]
) -> torch.Tensor:
    """Softmax attention in torch, its scores changed before the mask."""
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
    scores = change(query @ key.transpose(-1, -2) * scale)
    n_q, n_k = scores.shape[-2:]
    seen = torch.ones(n_q, n_k, dtype=torch.bool).tril(n_k - n_q) if mask is None else mask
    return (scores.masked_fill(~seen, -torch.inf).softmax(-1) @ value).transpose(1, 2)


def one_key(scores: torch.Tensor) -> torch.Tensor:
    """A bias on one key of one head."""
    bias = torch.zeros_like(scores)
    bias[:, 1, :, 0] = 0.5
    return scores + bias


def with_sink(scores: torch.Tensor) -> torch.Tensor:
    """What a sink does to the other weights: the first key takes more."""
    more = torch.zeros_like(scores)
    more[..., 0] = 2.0
    return scores + more


# What a capture that reads q, k, v, mask and scale alone would not know of.
CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "scale": lambda scores: scores * 1.1,
    "softcap": lambda scores: 2 * torch.tanh(scores / 2),
    "bias": one_key,
    "sink": with_sink,
}


@pytest.fixture
def registered() -> Iterator[Callable[[Callable[..., Any]], str]]:
    """Register an attention function of a user's own, with sdpa's masks."""

    def register(function: Callable[..., Any]) -> str:
        AttentionInterface.register(NAME, function)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        return NAME

    yield register
    AttentionInterface._global_mapping.pop(NAME, None)
    AttentionMaskInterface._global_mapping.pop(NAME, None)


def llama(name: str) -> PreTrainedModel:
    model = copy.deepcopy(FAMILIES["llama"]())
    model.set_attn_implementation(name)
    return model


def own(change: Callable[[Any], Any], layers: tuple[int, ...] = (1,)) -> Callable[..., Any]:
    def function(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
        at = change if module.layer_idx in layers else lambda scores: scores
        return attend(query, key, value, mask, more["scaling"], at), None

    return function


def test_a_function_of_a_users_own_that_is_plain_attention_is_proved(registered: Any) -> None:
    model = llama(registered(own(lambda scores: scores)))
    source = ModelSource.capture(model, tokenizer(), TEXT, strict=True)
    assert [layer.proved for layer in source.layers] == [True] * N_LAYERS
    assert source.doubt == ""


@pytest.mark.parametrize("change", CHANGES)
def test_attention_that_is_computed_otherwise_is_named(registered: Any, change: str) -> None:
    model = llama(registered(own(CHANGES[change])))
    source = ModelSource.capture(model, tokenizer(), TEXT)
    assert [layer.proved for layer in source.layers] == [True, False, True]
    assert source.notice.startswith("Wrong weights: layer 1.")
    assert "model.layers.1.self_attn" in source.notice


def test_a_mask_that_is_not_handed_over_is_named(registered: Any) -> None:
    def sees_all(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
        every = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool)
        return attend(query, key, value, every, more["scaling"], lambda scores: scores), None

    source = ModelSource.capture(llama(registered(sees_all)), tokenizer(), TEXT)
    assert [layer.proved for layer in source.layers] == [False] * N_LAYERS
    assert "layers 0, 1, 2" in source.notice


def test_strict_refuses_and_says_how_large_the_difference_is(registered: Any) -> None:
    model = llama(registered(own(CHANGES["scale"])))
    with pytest.raises(ValueError, match=r"^model: Wrong weights: layer 1\. .* differ .* strict="):
        AttentionWidget.from_model(model, tokenizer(), TEXT, strict=True)
    with pytest.raises(ValueError, match="Wrong weights: layer 1"):
        AttentionWidget.from_model(
            model, tokenizer(), TEXT, generate={"max_new_tokens": 3}, strict=True
        )
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    assert w.layers[1].proved is False
    assert "As the model computed it." in w.notice
    w.layer = 1
    assert "As the model computed it." not in w.notice


def test_the_largest_difference_is_the_one_that_the_notice_states(registered: Any) -> None:
    """The first and the last query are among the rows compared: a change there is measured."""

    def first_row(scores: torch.Tensor) -> torch.Tensor:
        # Of the last query, which sees all keys, the first key alone is left.
        scores = scores.clone()
        scores[:, :, -1, 1:] -= 50
        return scores

    model = llama(registered(own(first_row)))
    source = ModelSource.capture(model, tokenizer(), TEXT)
    shown = source.weights(1)[:, -1].astype(np.float64)
    V = np.stack([source.head(1, head).V for head in range(4)])
    # All weight on the first key returns its value.
    error = np.abs(np.einsum("hk,hkd->hd", shown, V) - V[:, 0]).max()
    stated = float(source.doubt.split("by up to ")[1].split(",")[0])
    assert math.isclose(stated, error, rel_tol=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "gemma3"])
def test_the_rounding_of_a_type_is_no_difference(name: str, dtype: torch.dtype) -> None:
    model = copy.deepcopy(FAMILIES[name]())
    torch.nn.Module.to(model, dtype)
    for implementation in ("sdpa", "eager"):
        model.set_attn_implementation(implementation)
        source = ModelSource.capture(model, tokenizer(), TEXT, strict=True)
        assert {layer.proved for layer in source.layers} == {True}


def test_half_precision_does_not_hide_another_scale(registered: Any) -> None:
    model = llama(registered(own(lambda scores: 2 * scores)))
    torch.nn.Module.to(model, torch.bfloat16)
    source = ModelSource.capture(model, tokenizer(), TEXT)
    assert [layer.proved for layer in source.layers] == [True, False, True]


def test_nan_in_the_output_alone_is_no_proof(registered: Any) -> None:
    """What overflows inside the attention function is in neither q, k nor v."""

    def overflows(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
        output = attend(query, key, value, mask, more["scaling"], lambda scores: scores)
        if module.layer_idx == N_LAYERS - 1:
            output[:, -1] = torch.nan
        return output, None

    source = ModelSource.capture(llama(registered(overflows)), tokenizer(), TEXT)
    assert [layer.proved for layer in source.layers] == [True, True, False]
    assert "layer 2. The model's attention returned NaN or infinity" in source.notice


def test_a_call_in_which_no_query_sees_a_key_proves_nothing() -> None:
    inputs = {"input_ids": torch.tensor([[5, 7, 2, 9]])}
    inputs["attention_mask"] = torch.full((1, 1, 4, 4), -2e4)
    source = ModelSource.capture(FAMILIES["bert"](), None, inputs=inputs)
    assert {layer.proved for layer in source.layers} == {None}


def test_a_loud_head_does_not_hide_a_wrong_one(registered: Any) -> None:
    """The bound is that of each element, in bfloat16 too."""

    def function(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
        double = torch.ones(4).view(1, 4, 1, 1)
        double[:, 2] = 2.0
        at = (
            (lambda scores: scores * double.to(scores.dtype))
            if module.layer_idx == 1
            else (lambda scores: scores)
        )
        return attend(query, key, value, mask, more["scaling"], at), None

    model = llama(registered(function))
    with torch.no_grad():  # head 0 has large scores and values
        model.model.layers[1].self_attn.q_proj.weight[:8] *= 10
        model.model.layers[1].self_attn.v_proj.weight[:8] *= 10
    torch.nn.Module.to(model, torch.bfloat16)
    source = ModelSource.capture(model, tokenizer(), TEXT)
    assert [layer.proved for layer in source.layers] == [True, False, True]


def test_layers_whose_output_was_not_seen_say_so() -> None:
    one = ARCHITECTURES["longformer"]
    w = AttentionWidget.from_model(one.make(), inputs=one.inputs())
    assert {layer.proved for layer in w.layers} == {None}
    assert "The output was not captured, so the weights are not proved" in w.notice


def test_what_is_made_of_wrong_maps_keeps_the_warning(registered: Any) -> None:
    model = llama(registered(own(CHANGES["scale"])))
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    w.stack = "mean over heads"
    assert "Wrong weights: layer 1." in w.notice
    w.stack = "self"
    w.merge = "words"
    assert "Wrong weights: layer 1." in w.notice
    w.merge = "tokens"
    right = AttentionWidget.from_model(llama("sdpa"), tokenizer(), TEXT)
    c = AttentionWidget.compare(right, w)
    assert c.notice.startswith("B: Wrong weights: layer 1.")


def test_attention_that_ran_and_was_not_recorded_is_named() -> None:
    class Attention(torch.nn.Module):
        """Attention without a softmax: what a query looks at can't be read."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.sigmoid(x @ x.transpose(-1, -2)).sum(-1, keepdim=True) * 1e-3

    model = copy.deepcopy(FAMILIES["bert"]())
    layer = model.encoder.layer[1]
    layer.output.add_module("extra_attention", Attention())
    forward = layer.output.forward
    layer.output.forward = lambda hidden, x: forward(hidden, x + layer.output.extra_attention(x))
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    where = "encoder.layer.1.output.extra_attention"
    assert f"Not shown: self-attention in {where} (Attention), because no softmax" in w.notice
    assert len(w.layers) == N_LAYERS


def test_low_scores_that_no_mask_made_are_no_mask() -> None:
    """Scores of a model that computes attention by itself may all be far below 0."""
    scores = torch.tensor([[[-30000.0, -30001.0, -30003.0], [1.0, -20000.0, 0.0]]])
    scores = torch.cat([scores, torch.full((1, 1, 3), torch.finfo(torch.float32).min)], dim=1)
    call = Call(module="a", layer_idx=0, q=None, k=None, v=None, scale=1.0, scores=scores)
    masked = hidden(call)
    np.testing.assert_array_equal(masked, [[False] * 3, [False, True, False], [True] * 3])
    # A row of nothing but the lowest float is masked as a whole, and has no weights.
    wanted = torch.softmax(scores, -1).numpy()[0] * [[1], [1], [0]]
    np.testing.assert_allclose(layer_weights(call, masked)[0], wanted, rtol=0, atol=1e-6)
