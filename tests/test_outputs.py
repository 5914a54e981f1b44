"""Attentions that were computed already: shown as they are, and what is missing is explained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import ENCODERS, tokenizer
from transformers import T5Config, T5Model

from attnwidget import AttentionWidget

TEXT = "the cat sat on the mat"


def run(implementation, text=TEXT):
    model = ENCODERS["bert"]()
    model.set_attn_implementation(implementation)
    tokens = tokenizer()(text, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    with torch.inference_mode():
        outputs = model(**tokens, output_attentions=True)
    return outputs, tokenizer().convert_ids_to_tokens(tokens["input_ids"][0])


def test_outputs_and_their_tuple_are_shown_as_they_are():
    outputs, tokens = run("eager")
    for given in (outputs, outputs.attentions, [a[0] for a in outputs.attentions]):
        w = AttentionWidget.from_outputs(given, tokens, layer=1, head=2)
        want = outputs.attentions[1][0, 2].numpy()
        np.testing.assert_allclose(w.attention, want, atol=1e-7)
        assert len(w.layers) == len(outputs.attentions)


def test_a_row_of_a_batch():
    rng = np.random.default_rng(0)
    layers = [torch.softmax(torch.tensor(rng.normal(size=(3, 2, 4, 5))), -1) for _ in range(2)]
    w = AttentionWidget.from_outputs(layers, list("abcd"), list("vwxyz"), batch_index=2, head=1)
    np.testing.assert_allclose(w.attention, layers[0][2, 1].numpy())
    with pytest.raises(ValueError, match=r"batch_index: got 3, want 0..2"):
        AttentionWidget.from_outputs(layers, list("abcd"), list("vwxyz"), batch_index=3)


def test_an_encoder_decoder_is_asked_which():
    config = T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2)
    model = T5Model(config).eval()
    model.set_attn_implementation("eager")
    ids, target = torch.arange(1, 6)[None], torch.arange(1, 4)[None]
    with torch.inference_mode():
        outputs = model(input_ids=ids, decoder_input_ids=target, output_attentions=True)
    with pytest.raises(
        ValueError, match=r"stack: got None for several stacks, want one of encoder"
    ):
        AttentionWidget.from_outputs(outputs, list("abc"))
    w = AttentionWidget.from_outputs(outputs, list("abc"), list("vwxyz"), stack="cross", layer=1)
    np.testing.assert_allclose(w.attention, outputs.cross_attentions[1][0, 0].numpy(), atol=1e-7)
    with pytest.raises(ValueError, match="no 'self', only encoder, decoder, cross"):
        AttentionWidget.from_outputs(outputs, list("abc"), stack="self")


def test_what_sdpa_leaves_out_is_explained():
    outputs, tokens = run("sdpa")
    for given in (outputs, outputs.attentions or ()):
        with pytest.raises(ValueError, match=r"attn_implementation=.eager.*from_model"):
            AttentionWidget.from_outputs(given, tokens)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((np.eye(3),), r"layer 0 has shape \(3, 3\), want \(batch, heads, queries, keys\)"),
        ((np.ones((1, 2, 3, 3)), None), "layer 1 has no attention"),
        (
            (np.ones((2, 3, 3)) / 3, np.ones((4, 3, 3)) / 3),
            r"layer 1 has shape \(4, 3, 3\) and layer 0 \(2, 3, 3\)",
        ),
        ((np.full((2, 3, 3), np.nan),), "layer 0: 18 of 18 values are NaN"),
        (object(), "got object, want a model's outputs"),
        ((np.ones((2, 4, 4)) / 4,), r"attention: got shape \(1, 2, 4, 4\)"),
    ],
)
def test_what_does_not_fit_is_named(given, says):
    with pytest.raises((TypeError, ValueError), match=says):
        AttentionWidget.from_outputs(given, list("abc"))


def test_weights_of_any_layer_and_head():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), TEXT)
    outputs, _ = run("eager")
    for layer in range(len(w.layers)):
        want = outputs.attentions[layer][0].numpy()
        np.testing.assert_allclose(w.weights(layer), want, atol=1e-6)
        np.testing.assert_allclose(w.weights(layer, 1), want[1], atol=1e-6)
        np.testing.assert_allclose(
            w.weights(layer, 2, rows=[0, 3], cols=slice(1, 4)), want[2][[0, 3], 1:4], atol=1e-6
        )
        np.testing.assert_allclose(w.weights(layer, rows=2), want[:, 2], atol=1e-6)
    for bad, says in [((9,), "layer: got 9"), ((0, 99), "head: got 99")]:
        with pytest.raises(ValueError, match=says):
            w.weights(*bad)
    with pytest.raises(ValueError, match="rows"):
        w.weights(0, rows=99)
