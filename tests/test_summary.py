"""The paragraph about a widget for readers that have no card."""

from __future__ import annotations

import numpy as np
import pytest
from models import ENCODERS, tokenizer

from attnwidget import AttentionWidget

WEIGHTS = np.array([[0.7, 0.2, 0.1, 0.0], [0.25, 0.25, 0.5, 0.0], [0.1, 0.05, 0.05, 0.8]])


def text(w):
    return w._repr_mimebundle_()[0]["text/plain"]


def test_the_paragraph_has_the_largest_weights_and_the_mask():
    w = AttentionWidget.from_arrays(WEIGHTS, "le chat noir", "a black cat here")
    assert text(w) == (
        "Self-attention of 3 queries and 4 keys (le chat noir → a black cat here). "
        "Largest weights: noir → here 0.80, le → a 0.70, chat → cat 0.50."
    )
    w.toggle(2, 3)
    # The other weights of the row share the 0.8: 0.1, 0.05, 0.05 become 0.5, 0.25, 0.25.
    assert text(w).endswith(
        "Largest weights: le → a 0.70, chat → cat 0.50, noir → a 0.50. Masked: 1 of 12 cells."
    )
    w.presets = "causal"
    # Row 0 sees one key, row 1 two equal keys, and row 2 three; the edit by hand stays.
    assert "le → a 1.00" in text(w)
    assert text(w).endswith("Masked: 6 of 12 cells (causal).")


def test_the_paragraph_names_layer_head_and_title_of_a_model():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat on the mat")
    w.layer, w.head, w.title = 2, 1, "A small BERT"
    assert text(w).startswith("A small BERT of ")
    assert ", self layer 2, head 1. Largest weights: " in text(w)
    at = np.unravel_index(w.attention.argmax(), w.attention.shape)
    cell = f"{w.tokens[at[0]]} → {w.tokens[at[1]]} {w.attention[at]:.2f}"
    assert f"Largest weights: {cell}," in text(w)
    assert repr(w) == f"<AttentionWidget A small BERT, {len(w.tokens)} × {len(w.tokens)} cells>"


def test_the_paragraph_has_the_weights_of_a_mistake():
    w = AttentionWidget("a b c", n_heads=2, d_k=2, init="normal", seed=3)
    w.head, w.mistake = 1, "wrong-axis"
    q, k = np.unravel_index(w.report.weights[1].argmax(), (3, 3))
    cell = f"{w.tokens[q]} → {w.tokens[k]} {w.report.weights[1, q, k]:.2f}"
    assert f"Largest weights with the mistake wrong-axis: {cell}," in text(w)


def test_the_paragraph_says_where_a_mistake_has_no_weights():
    w = AttentionWidget("a b c d", key_tokens="x y z", d_k=2, mistake="not-transposed")
    assert text(w).endswith("The code with the mistake not-transposed fails on these shapes.")
    w = AttentionWidget("a b c", d_k=2, scale=1e6, mistake="overflow")
    assert np.isnan(w.report.weights).all()
    assert "All weights are NaN with the mistake overflow." in text(w)


@pytest.mark.parametrize("token", ["", "\n\r", "\x1b[31m", "x" * 500, "a\u202eb"])
def test_a_token_stays_on_its_line(token):
    w = AttentionWidget([token, "b"])
    assert text(w).isprintable()
    assert len(text(w)) < 400


def test_a_map_without_a_weight_says_so():
    w = AttentionWidget("a b c")
    w.mask = np.ones(3)
    assert "All weights are 0. Masked: 9 of 9 cells (padding)." in text(w)
