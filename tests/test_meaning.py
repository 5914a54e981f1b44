"""What a weight carries, and what reaches a layer from below, beside torch and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import tokenizer
from transformers import LlamaConfig, LlamaModel

from attnwidget.capture.source import ModelSource
from attnwidget.maths.norms import output_norms, rollout

N_Q, N_K, D_V, D_MODEL = 4, 6, 3, 5


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def maps(n_layers, heads, n, seed=0):
    """Maps (h, n, n) of each layer whose rows sum to 1, far from uniform."""
    made = np.exp(2 * drawn(n_layers, heads, n, n, seed=seed))
    return made / made.sum(axis=-1, keepdims=True)


def test_output_norms_are_those_of_a_linear_layer_without_its_bias():
    V, W_o = drawn(N_K, D_V), drawn(D_V, D_MODEL, seed=1)
    layer = torch.nn.Linear(D_V, D_MODEL).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W_o.T))
        want = (layer(torch.tensor(V)) - layer.bias).norm(dim=-1)
    np.testing.assert_allclose(output_norms(V, W_o), want, rtol=1e-12)
    assert not np.allclose(output_norms(V, W_o), np.linalg.norm(V, axis=-1), rtol=0.1)


def test_a_rotation_changes_no_norm_and_a_projection_to_nothing_leaves_none():
    V = drawn(N_K, D_V)
    norms = np.linalg.norm(V, axis=-1)
    turned, _ = np.linalg.qr(drawn(D_V, D_V, seed=2))
    np.testing.assert_allclose(output_norms(V, turned), norms, rtol=1e-12)
    np.testing.assert_array_equal(output_norms(V, np.zeros((D_V, D_MODEL))), np.zeros(N_K))
    np.testing.assert_allclose(output_norms(V, 3 * np.eye(D_V)), 3 * norms, rtol=1e-12)


def test_weights_in_front_give_the_norm_of_every_part_of_the_sum():
    """Kobayashi et al. 2020: the output is the sum of vectors α_ij v_j W_O, and these are long."""
    A = maps(1, 1, N_K)[0, 0][:N_Q]
    V, W_o = drawn(N_K, D_V), drawn(D_V, D_MODEL, seed=1)
    parts = torch.einsum("ij,jv,vd->ijd", *(torch.tensor(x) for x in (A, V, W_o)))
    np.testing.assert_allclose(A * output_norms(V, W_o), parts.norm(dim=-1), rtol=1e-12)
    np.testing.assert_allclose(parts.sum(1), A @ V @ W_o, rtol=1e-9)


def test_grouped_query_heads_share_values_but_not_projections():
    torch.manual_seed(0)
    sizes = {"hidden_size": 20, "head_dim": 6, "intermediate_size": 8, "num_hidden_layers": 1}
    model = LlamaModel(
        LlamaConfig(vocab_size=40, num_attention_heads=4, num_key_value_heads=2, **sizes)
    ).eval()
    values = []
    attention = model.layers[0].self_attn
    hook = attention.v_proj.register_forward_hook(
        lambda _module, _inputs, made: values.append(made.detach())
    )
    source = ModelSource.capture(model, tokenizer(), "the cat sat on it")
    hook.remove()
    V = values[0][0].reshape(5, 2, 6)
    W_o = attention.o_proj.weight.detach().T.reshape(4, 6, 20)
    found = [source.output_norms(0, head) for head in range(4)]
    for head in range(4):
        want = (V[:, head // 2] @ W_o[head]).norm(dim=-1)
        np.testing.assert_allclose(found[head], want, rtol=1e-5)
    assert not np.allclose(found[0], found[1], rtol=1e-2)


def test_rollout_is_the_product_of_the_layers_written_out():
    layers = maps(3, 2, 4)
    steps = [0.5 * torch.tensor(layer).mean(0) + 0.5 * torch.eye(4) for layer in layers]
    want = torch.stack([steps[0], steps[1] @ steps[0], steps[2] @ steps[1] @ steps[0]])
    got = rollout(layers)
    assert got.shape == (3, 4, 4)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    np.testing.assert_allclose(got.sum(axis=-1), 1, rtol=1e-12)
    # The order counts: the lowest layer is the last factor.
    assert not np.allclose(got[-1], steps[0] @ steps[1] @ steps[2], rtol=1e-2)


@pytest.mark.parametrize("residual", [0.0, 0.2, 1.0])
def test_the_share_of_the_residual(residual):
    layers = maps(2, 3, 5, seed=4)
    a, b = ((1 - residual) * layer.mean(0) + residual * np.eye(5) for layer in layers)
    np.testing.assert_allclose(rollout(layers, residual=residual), [a, b @ a], rtol=1e-12)


def test_rollout_in_closed_form():
    identity = np.eye(3)[None]
    np.testing.assert_array_equal(rollout([identity] * 4), np.stack([np.eye(3)] * 4))
    # One step back a layer, half of the time: the binomial coefficients.
    back = np.eye(4, k=-1)
    back[0, 0] = 1
    last = rollout([back[None]] * 3)[-1]
    np.testing.assert_allclose(last[3], np.array([1, 3, 3, 1]) / 8)
    # Uniform attention alone forgets everything at once.
    uniform = np.full((2, 3, 3), 1 / 3)
    np.testing.assert_allclose(rollout([uniform, uniform], residual=0), np.full((2, 3, 3), 1 / 3))


def test_rows_that_lost_weight_are_brought_back_to_1():
    """A sink took 3/4 of the second row: what is left there is 1/8 of attention, 1/2 its own."""
    layer = np.array([[1.0, 0.0], [0.25, 0.0]])
    np.testing.assert_allclose(rollout([layer[None]])[0], [[1, 0], [0.2, 0.8]])


@pytest.mark.parametrize("residual", [0.0, 0.5])
def test_a_row_that_sees_nothing_passes_its_own_token_on(residual):
    layer = np.array([[0.0, 0.0], [0.5, 0.5]])
    kept = 0.5 * (1 - residual)
    want = [[1, 0], [kept, 1 - kept]]
    np.testing.assert_allclose(rollout([layer[None]], residual=residual)[0], want)


def test_half_precision_is_summed_in_double():
    layers = maps(3, 4, 6).astype(np.float16)
    got = rollout(layers)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, rollout(layers.astype(np.float64)), rtol=1e-12)
