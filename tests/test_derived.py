"""Means over heads and layers, and rollout, of models: beside transformers' own eager weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, N_DECODER, N
from architectures_eager import eager
from models import FAMILIES, N_HEADS, N_LAYERS, tokenizer

from attnwidget import AttentionWidget

TOLERANCE = 1e-6


def opened(name: str, **shown):
    one = ARCHITECTURES[name]
    return AttentionWidget.from_model(one.make(), inputs=one.inputs(), **shown)


def expected(name: str, stack: str = "self") -> np.ndarray:
    """Eager weights of a stack, (l, h, n_q, n_k), float64."""
    one = ARCHITECTURES[name]
    found = eager(one.make(), one.inputs())
    return np.stack([w for (k, _), w in sorted(found.items()) if k == stack]).astype(np.float64)


def rolled(layers: np.ndarray) -> list[np.ndarray]:
    """Abnar & Zuidema 2020, equation 1 and after: torch's products, from the first layer up."""
    reached = torch.eye(layers.shape[-1], dtype=torch.float64)
    found = []
    for layer in torch.tensor(layers):
        mixed = layer.mean(0) + torch.eye(len(reached))
        reached = (mixed / mixed.sum(-1, keepdim=True)) @ reached
        found.append(reached.numpy())
    return found


def listed(w) -> dict[str, list[tuple[int, int]]]:
    found = {}
    for layer in w.derived_layers:
        found.setdefault(layer.stack, []).append((layer.index, layer.n_heads))
    return found


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "albert"])
def test_means_and_rollout_of_a_single_stack(name):
    w, layers = opened(name), expected(name)
    each = [(i, 1) for i in range(N_LAYERS)]
    assert listed(w) == {
        "mean over heads": each,
        "mean over layers": [(0, N_HEADS)],
        "rollout": each,
    }
    w.stack = "mean over heads"
    for i in range(N_LAYERS):
        w.layer = i
        assert w.shown == (i, 0, "mean over heads")
        np.testing.assert_allclose(w.attention, layers[i].mean(0), atol=TOLERANCE)
        np.testing.assert_allclose(w.weights(i)[0], layers[i].mean(0), atol=TOLERANCE)
    w.stack = "mean over layers"
    for h in range(N_HEADS):
        w.head = h
        assert w.shown == (0, h, "mean over layers")
        np.testing.assert_allclose(w.attention, layers.mean(0)[h], atol=TOLERANCE)
    w.stack = "rollout"
    for i, want in enumerate(rolled(layers)):
        w.layer = i
        np.testing.assert_allclose(w.attention, want, atol=TOLERANCE)
        np.testing.assert_allclose(w.attention.sum(axis=-1), 1, atol=TOLERANCE)
        assert w.weights(i).shape == (1, N, N)
    # What flows up through all layers is no longer the last layer's own attention.
    assert not np.allclose(w.attention, layers[-1].mean(0), atol=0.05)


def test_asked_for_without_being_shown():
    w, layers = opened("gpt2"), expected("gpt2")
    got = w.weights(2, 0, stack="rollout", rows=[6], cols=slice(3))
    np.testing.assert_allclose(got, rolled(layers)[2][[6], :3], atol=TOLERANCE)
    assert w.weights(0, stack="mean over layers").shape == (N_HEADS, N, N)
    assert (w.stack, w.shown) == ("self", (0, 0, "self"))


def test_stacks_of_an_encoder_decoder_are_derived_each_on_its_own():
    w = opened("bart")
    assert list(listed(w)) == [
        "encoder · mean over heads", "encoder · mean over layers", "encoder · rollout",
        "decoder · mean over heads", "decoder · mean over layers", "decoder · rollout",
        "cross · mean over heads", "cross · mean over layers",
    ]  # fmt: skip
    cross = expected("bart", "cross")
    w.stack = "cross · mean over heads"
    w.layer = 2
    assert (len(w.tokens), len(w.key_tokens)) == (N_DECODER, N)
    np.testing.assert_allclose(w.attention, cross[2].mean(0), atol=TOLERANCE)
    w.stack = "cross · mean over layers"
    w.head = 1
    np.testing.assert_allclose(w.attention, cross.mean(0)[1], atol=TOLERANCE)
    w.stack = "decoder · rollout"
    want = rolled(expected("bart", "decoder"))
    np.testing.assert_allclose(w.attention, want[0], atol=TOLERANCE)
    w.layer = 2
    assert w.key_tokens is None
    np.testing.assert_allclose(w.attention, want[2], atol=TOLERANCE)
    # The encoder has two layers: the third is not there, and the first is shown.
    w.stack = "encoder · rollout"
    assert w.shown == (0, 0, "encoder · rollout")
    np.testing.assert_allclose(w.attention, rolled(expected("bart", "encoder"))[0], atol=TOLERANCE)
    np.testing.assert_allclose(w.weights(1, 0, stack="cross"), cross[1][0], atol=TOLERANCE)


def test_layers_keep_the_model_s_own_numbers():
    w = AttentionWidget.from_model(FAMILIES["lfm2"](), tokenizer(), "the cat sat")
    assert listed(w)["rollout"] == [(1, 1), (3, 1)]
    w.stack = "rollout"
    assert w.layer == 1
    with pytest.raises(ValueError, match=r"layer: got 2, want one of \[1, 3\]"):
        w.layer = 2
    want = rolled(np.stack([w.weights(i, stack="self") for i in (1, 3)]).astype(float))
    np.testing.assert_allclose(w.weights(3)[0], want[1], atol=TOLERANCE)


def test_what_flows_into_a_sink_has_a_column_in_means_and_none_in_rollout():
    w, layers = opened("gpt-oss"), expected("gpt-oss")
    w.stack = "mean over heads"
    assert w.key_tokens[-1] == "sink"
    np.testing.assert_allclose(w.attention[:, :-1], layers[0].mean(0), atol=TOLERANCE)
    np.testing.assert_allclose(w.attention.sum(axis=-1), 1, atol=TOLERANCE)
    w.stack = "rollout"
    assert w.key_tokens is None
    for i, want in enumerate(rolled(layers)):
        np.testing.assert_allclose(w.weights(i)[0], want, atol=TOLERANCE)
    w.toggle(3, 1)
    w.stack = "self"
    assert w.key_tokens[-1] == "sink"


def test_padding_that_sees_nothing_passes_itself_on():
    one = ARCHITECTURES["gpt2"]
    w = AttentionWidget.from_model(one.make(), inputs=one.padded(), stack="rollout")
    w.layer = 2
    np.testing.assert_allclose(w.attention[:2], np.eye(N)[:2], atol=TOLERANCE)
    assert w.attention[2:, :2].max() == 0
    np.testing.assert_allclose(w.attention.sum(axis=-1), 1, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "stack", "missing"),
    [
        ("bart", "encoder", "cross · rollout"),
        ("bart", "encoder", "rollout"),
        # Windows between which layers of other windows lie; maps that are not square.
        ("sam", "decoder", "vision 9×9 · rollout"),
        ("sam", "decoder", "cross 8×64 · rollout"),
        # Layers of 2, 2 and 4 heads have no mean head by head.
        ("swin", "self", "mean over layers"),
        # Its layers see windows, the next one others: no token of the image goes through them all.
        ("swin", "self", "rollout"),
    ],
)
def test_what_cannot_be_derived_is_not_offered_and_refused(name, stack, missing):
    w = opened(name)
    before = w.attention
    assert missing not in listed(w)
    with pytest.raises(ValueError, match=rf"stack: got '{missing}', want one of {stack}\b"):
        w.stack = missing
    with pytest.raises(ValueError, match=rf"stack: got '{missing}', want one of {stack}\b"):
        w.weights(0, stack=missing)
    assert (w.stack, w.shown[2]) == (stack, stack)
    np.testing.assert_array_equal(w.attention, before)


def test_given_weights_are_derived_too():
    rng = np.random.default_rng(2)
    given = rng.dirichlet(np.ones(4), (3, 2, 4))
    w = AttentionWidget.from_arrays(given, list("abcd"))
    w.stack = "rollout"
    w.layer = 2
    np.testing.assert_allclose(w.attention, rolled(given)[2], rtol=1e-9)
    cross = AttentionWidget.from_arrays(given[:, :, :3], list("abc"), list("wxyz"))
    assert set(listed(cross)) == {"mean over heads", "mean over layers"}
    with pytest.raises(ValueError, match="stack: got 'rollout', want one of cross, mean over"):
        cross.stack = "rollout"
    # One layer has nothing to roll through, one head no mean, a sentence neither.
    assert AttentionWidget.from_arrays(given[:1, :1], list("abcd")).derived_layers == ()
    assert AttentionWidget("a b c", n_heads=2).derived_layers == ()


def test_a_derived_map_is_masked_like_any_other():
    w = opened("gpt2", stack="rollout")
    w.layer = 2
    before = w.attention.copy()
    assert not w.mask.any()
    w.toggle(5, 1)
    want = before[5].copy()
    want[1] = 0
    np.testing.assert_allclose(w.attention[5], want / want.sum(), atol=1e-9)
    np.testing.assert_array_equal(np.delete(w.attention, 5, 0), np.delete(before, 5, 0))
    # The layers that it is made of have masks of their own.
    w.stack = "self"
    assert not (w.mask & ~w.locked).any()
    w.toggle(4, 2)
    w.stack = "rollout"
    assert np.argwhere(w.mask).tolist() == [[5, 1]]
    assert w.undo()
    assert w.stack == "self"
    assert w.undo()
    assert w.stack == "rollout"
    assert not w.mask.any()
    np.testing.assert_array_equal(w.weights(2)[0], before)


def test_a_head_set_by_hand_is_in_the_mean():
    w, layers = opened("bert"), expected("bert")
    w.layer, w.head = 1, 2
    w.Q = np.zeros_like(w.Q)
    w.stack = "mean over heads"
    heads = layers[1].copy()
    heads[2] = 1 / N
    assert w.layer == 1
    np.testing.assert_allclose(w.attention, heads.mean(0), atol=TOLERANCE)
    layers[1][2] = 1 / N
    w.stack = "rollout"
    np.testing.assert_allclose(w.weights(2)[0], rolled(layers)[2], atol=TOLERANCE)


def test_what_a_derived_map_has_not_is_refused():
    w = opened("bert", stack="mean over heads")
    assert w.Q is w.K is w.V is w.output_norms is None
    before = w.attention.copy()
    for name, value, why in (
        ("Q", np.ones((N, 2)), "Q: a map derived from other maps"),
        ("scale", 2.0, "scale: a map derived from other maps"),
        ("tokens", list("abcdefg"), "tokens: a map derived from other maps"),
        ("view", "steps", "view: 'steps' needs Q, K and V"),
        ("quantity", "value-norm", "quantity: 'value-norm' needs V"),
        ("quantity", "output-norm", "quantity: 'output-norm' needs W_O"),
        ("head", 1, "head: got 1, want 0..0"),
    ):
        with pytest.raises(ValueError, match=why):
            setattr(w, name, value)
    np.testing.assert_array_equal(w.attention, before)
    # A temperature sharpens what is given: softmax(log(a) / 0.5) is a² over its sum.
    w.temperature = 0.5
    np.testing.assert_allclose(
        w.attention, before**2 / (before**2).sum(-1, keepdims=True), rtol=1e-6
    )


def test_views_and_quantities_that_need_values_are_left():
    w = opened("bert")
    w.view, w.quantity = "neuron", "value-norm"
    w.stack = "mean over layers"
    assert (w.view, w.quantity) == ("heatmap", "attention")


@pytest.mark.parametrize("stack", ["mean over layers", "rollout"])
def test_a_layer_of_nan_stops_what_needs_it_and_the_stack_stays(stack):
    model = FAMILIES["bert"]()
    with torch.no_grad():
        model.encoder.layer[2].attention.self.query.weight[0, 0] = torch.nan
    w = AttentionWidget.from_model(model, tokenizer(), "the cat sat")
    before = w.attention.copy()
    with pytest.raises(ValueError, match="NaN"):
        w.stack = stack
    assert (w.stack, w.shown) == ("self", (0, 0, "self"))
    np.testing.assert_array_equal(w.attention, before)
    # The means of the other layers are whole.
    w.stack = "mean over heads"
    with pytest.raises(ValueError, match="NaN"):
        w.layer = 2
    assert w.shown == (0, 0, "mean over heads")


def test_the_notice_says_what_the_map_is_and_where_it_is_from():
    w = opened("bert")
    for stack, said in (
        ("mean over heads", "Mean over the heads of each layer."),
        ("mean over layers", "Mean over the layers, head by head."),
        ("rollout", "Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928)"),
    ):
        w.stack = stack
        assert w.notice.startswith(said)
        assert "As the model computed it" not in w.notice
