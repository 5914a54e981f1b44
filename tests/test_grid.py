"""Every head at once: the thumbnails are the maps, the numbers the statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import DECODERS, ENCODERS, tokenizer

import attnwidget.maths.thumbnails as grid_module
from attnwidget import AttentionWidget
from attnwidget.maths.statistics import statistics
from attnwidget.maths.thumbnails import SIDE, make_grid, parts
from attnwidget.widget.messages import answer
from attnwidget.wire.answers import grid_message


def weights(layers, heads, n, seed=0):
    p = np.random.default_rng(seed).random((layers, heads, n, n)) ** 4
    return (p / p.sum(axis=-1, keepdims=True)).astype(np.float32)


def test_small_maps_are_themselves_in_256_steps():
    p = weights(2, 3, 5)
    tokens = list("abcab")
    grid = make_grid([4, 7], lambda layer: p[{4: 0, 7: 1}[layer]], tokens)
    assert grid.layers == (4, 7)
    assert grid.maps.shape == (2, 3, 5, 5)
    # The step at the top, where a square root is flattest, is 2/255.
    shown = np.square(grid.maps / 255.0) * grid.peaks[..., None, None]
    np.testing.assert_allclose(shown, p, atol=1 / 255)
    np.testing.assert_allclose(grid.peaks, p.max(axis=(2, 3)))
    for name, want in statistics(p, tokens).items():
        np.testing.assert_allclose(grid.statistics[name], want, atol=1e-6)
    for name, want in statistics(p, tokens, sink=False).items():
        np.testing.assert_allclose(grid.without_sink[name], want, atol=1e-6)


@pytest.mark.parametrize("n", [SIDE + 1, 200, 300])
def test_large_maps_keep_their_strongest_cells(n):
    p = np.full((1, 1, n, n), 0.1 / n, np.float32)
    p[0, 0, n - 3, n // 2] = 0.9
    grid = make_grid([0], lambda layer: p[layer], [f"t{i}" for i in range(n)])
    assert grid.maps.shape == (1, 1, SIDE, SIDE)
    ((row, column),) = np.argwhere(grid.maps[0, 0] == 255)
    assert row == pytest.approx((n - 3) * SIDE / n, abs=1)
    assert column == pytest.approx((n // 2) * SIDE / n, abs=1)


def test_a_broken_head_is_dark_and_has_no_numbers():
    p = weights(1, 2, 5)
    p[0, 1, 3] = np.nan
    grid = make_grid([0], p.__getitem__, list("abcab"))
    assert not grid.maps[0, 1].any()
    assert grid.maps[0, 0].max() == 255
    content, _ = grid_message(grid)
    assert content["statistics"]["entropy"][0][1] is None
    assert content["statistics"]["entropy"][0][0] is not None


def test_layers_with_other_numbers_of_heads_leave_places_empty():
    p = [weights(1, 2, 4)[0], weights(1, 3, 4, seed=1)[0]]
    grid = make_grid([0, 1], p.__getitem__, list("abcd"))
    assert grid.maps.shape == (2, 3, 4, 4)
    assert np.isnan(grid.peaks[0, 2])
    content, _ = grid_message(grid)
    assert content["peaks"][0][2] is None
    assert content["statistics"]["entropy"][0][2] is None


def test_a_page_asks_and_gets_every_head_of_a_model():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat on the mat")
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    w._handle_custom_msg({"type": "grid", "id": "p:1"}, [])
    ((content, buffers),) = sent
    assert content["id"] == "p:1"
    shape = content["shape"]
    maps = np.frombuffer(buffers[0], np.uint8).reshape(shape)
    for i, layer in enumerate(content["layers"]):
        w.layer = layer
        for head in range(shape[1]):
            w.head = head
            peak = content["peaks"][i][head]
            shown = np.square(maps[i, head] / 255.0) * peak
            np.testing.assert_allclose(shown, w.attention, atol=1 / 255)


def test_a_sentence_has_a_grid_of_its_heads_and_other_keys_no_token_statistics():
    w = AttentionWidget("a b c", key_tokens="x y z u", n_heads=2)
    grid = make_grid([0], w.store.now.source.weights, w.tokens)
    assert grid.maps.shape == (1, 2, 3, 4)
    assert np.isnan(grid.statistics["entropy"]).all()


@pytest.mark.parametrize("mistake", [None, "wrong-axis"])
def test_the_grid_of_a_sentence_has_the_mask_and_the_mistake(mistake):
    w = AttentionWidget("a b c d e", n_heads=2, d_k=3, init="normal", seed=3)
    w.presets = "causal"
    w.mistake = mistake
    content, (maps,) = answer(w.store.now, {"type": "grid"})
    Q, K = (torch.from_numpy(np.array(a)) for a in (w.Q, w.K))
    hidden = (Q @ K.mT / 3**0.5).masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf)
    want = torch.softmax(hidden, -1 if mistake is None else -2).numpy()
    peaks = np.array(content["peaks"][0])
    np.testing.assert_allclose(peaks, want.max(axis=(1, 2)), atol=1e-6)
    drawn = np.square(np.frombuffer(maps, np.uint8).reshape(2, 5, 5) / 255) * peaks[:, None, None]
    np.testing.assert_allclose(drawn, want, atol=1 / 255)


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        # A small model in one answer.
        (128 * 128, [((0, 2, 5), 0, 12), ((7,), 0, 4)]),
        # Two layers of 12 heads are above 8,388,608 cells, one is not.
        (512 * 512, [((0, 2), 0, 12), ((5,), 0, 12), ((7,), 0, 4)]),
        # Two maps of 2,048 tokens in an answer.
        (2048 * 2048, [((n,), h, h + 2) for n in (0, 2, 5) for h in range(0, 12, 2)]
         + [((7,), 0, 2), ((7,), 2, 4)]),
        # A map that is larger than an answer comes alone.
        (4096 * 4096, [((n,), h, h + 1) for n in (0, 2, 5) for h in range(12)]
         + [((7,), h, h + 1) for h in range(4)]),
    ],
)  # fmt: skip
def test_an_answer_holds_whole_layers_or_a_few_heads_of_one(cells, wanted):
    found = parts({0: 12, 2: 12, 5: 12, 7: 4}, cells)
    assert [(part.layers, part.first, part.end) for part in found] == wanted


@pytest.mark.parametrize("most", [1, 2 * 36, 4 * 36, 8 * 36, 10**9])
def test_parts_put_together_are_every_head(monkeypatch, most):
    monkeypatch.setattr(grid_module, "PART", most)
    w = AttentionWidget.from_model(DECODERS["llama"](), tokenizer(), "the cat sat on the mat")
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    w._handle_custom_msg({"type": "grid", "id": "p:0", "part": 0}, [])
    for part in range(1, sent[0][0]["parts"]):
        w._handle_custom_msg({"type": "grid", "id": f"p:{part}", "part": part}, [])
    peaks = {}
    for content, _ in sent:
        for layer, row in zip(content["layers"], content["peaks"], strict=True):
            peaks |= {(layer, content["first"] + i): peak for i, peak in enumerate(row)}
    want = {(n, h): float(w.weights(n)[h].max()) for n in range(3) for h in range(4)}
    assert peaks == pytest.approx(want, abs=1e-6)
    assert list(peaks) == sorted(want)
    with_wrong = {"type": "grid", "id": "p:x", "part": sent[0][0]["parts"]}
    w._handle_custom_msg(with_wrong, [])
    assert "part: got" in sent[-1][0]["error"]
