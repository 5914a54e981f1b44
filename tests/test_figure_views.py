"""Lines, neuron, steps and grid as SVG: their numbers and colours, and views that are not there."""

from __future__ import annotations

import colorsys
import io
import re

import numpy as np
import pytest
from figures import SVG, css, groups, ramp, rgb, saved, signed_stops, stops, texts
from models import ENCODERS, tokenizer

from attnwidget import AttentionWidget


def head_rgb(head):
    """Return the colour of a head as CSS would mix it: hsl(137.508° · head + 12°, 62 %, 44 %)."""
    return np.array(colorsys.hls_to_rgb((head * 137.508 + 12) % 360 / 360, 0.44, 0.62)) * 255


def strokes(svg):
    """Return (colour, opacity, segments) of each path of lines."""
    result = []
    for path in svg.iter(f"{SVG}path"):
        lines = re.findall(r"M([-\d.]+) ([-\d.]+)L([-\d.]+) ([-\d.]+)", path.get("d"))
        opacity = float(path.get("stroke-opacity") or 1)
        result.append((path.get("stroke"), opacity, np.array(lines, float)))
    return result


def test_each_weight_has_a_line_as_strong_as_the_weight():
    weights = np.array(
        [
            [[0.55, 0.3, 0.15], [0.01, 0.09, 0.9]],
            [[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]],
        ]
    )
    w = AttentionWidget.from_arrays(weights, "one two", "x y z", view="lines")
    svg = saved(w)
    left = {t.text: float(t.get("y")) for t in svg.iter(f"{SVG}text") if t.text in {"one", "two"}}
    right = {t.text: float(t.get("y")) for t in svg.iter(f"{SVG}text") if t.text in {*"xyz"}}
    found = {}
    for color, opacity, lines in strokes(svg):
        (head,) = [h for h in (0, 1) if np.abs(rgb(color) - head_rgb(h)).max() <= 1]
        for _, y0, _, y1 in lines[lines[:, 0] != lines[:, 2]]:
            q = min((0, 1), key=lambda i: abs(left[["one", "two"][i]] - y0))
            k = min((0, 1, 2), key=lambda i: abs(right["xyz"[i]] - y1))
            if y0 > 60:  # the lines of the legend are above
                found[head, q, k] = opacity
    # An opacity for each tenth; no line below 0.02.
    assert found == {
        (0, 0, 0): 0.6, (0, 0, 1): 0.3, (0, 0, 2): 0.2, (0, 1, 1): 0.1, (0, 1, 2): 0.9,
        (1, 0, 1): 0.3, (1, 0, 2): 0.8, (1, 1, 0): 1.0,
    }  # fmt: skip


def test_only_the_heads_that_are_on_have_lines():
    w = AttentionWidget("a b c", n_heads=3, d_k=2, heads_on=[1])
    svg = saved(w, view="lines")
    colors = {color for color, _, _ in strokes(svg)}
    assert [np.abs(rgb(color) - head_rgb(1)).max() <= 1 for color in colors] == [True]
    assert "head 1" in texts(svg)
    assert "head 0" not in texts(svg)


def test_lines_of_a_model_follow_the_mask_of_the_shown_head():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat on")
    w.heads_on = [0]
    w.mask = np.array([[0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    full = [lines for _, opacity, lines in strokes(saved(w, view="lines")) if opacity == 1]
    assert len(full) == 2  # the legend, and the one key that the first query sees
    assert len(full[1]) == 1


def test_lines_of_a_model_name_the_one_head_with_the_mistake():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat on", head=1)
    w.mistake = "wrong-axis"
    assert any("head 1 with the mistake wrong-axis" in t for t in texts(saved(w, view="lines")))
    w.heads_on = [0]
    assert not any("mistake" in text for text in texts(saved(w, view="lines")))


def test_heads_on_paper_are_told_apart_by_dashes():
    w = AttentionWidget("a b c", n_heads=3, d_k=2)
    svg = saved(w, view="lines", palette="print")
    dashes = {path.get("stroke-dasharray") for path in svg.iter(f"{SVG}path")}
    assert len(dashes) == 3


def test_the_neuron_view_has_the_numbers_of_a_query():
    Q = np.array([[0.5, -1.0], [2.0, 1.0]])
    K = np.array([[1.0, 0.25], [-0.5, 2.0], [0.75, 0.5]])
    V = np.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
    w = AttentionWidget("a b", key_tokens="x y z", Q=Q, K=K, V=V, selection=(1, 0))
    w.toggle(1, 2)
    svg = saved(w, view="neuron")
    scores = K @ Q[1] / np.sqrt(2)
    p = np.exp(scores[:2]) / np.exp(scores[:2]).sum()
    words = texts(svg)
    assert {"query b", "q·k ÷ √2", "masked"} <= {*words}
    assert {f"{number:.3f}".replace("-", "−") for number in scores} <= {*words}
    assert {f"{number:.3f}" for number in p} <= {*words}
    assert {"5.00", "1.00", "10.00"} <= {*words}
    strips = groups(svg)
    # q, then k and q × k of each key.
    assert len(strips) == 7
    assert strips[0] == {(0, c): ramp(0.5 + Q[1, c] / 4, signed_stops()) for c in (0, 1)}
    assert strips[1] == {(0, c): ramp(0.5 + K[0, c] / 4, signed_stops()) for c in (0, 1)}
    assert strips[2] == {(0, c): ramp(0.5 + Q[1, c] * K[0, c] / 4, signed_stops()) for c in (0, 1)}


def test_the_neuron_view_of_many_keys_has_the_strongest():
    K = np.zeros((60, 1))
    K[[3, 50], 0] = 5
    w = AttentionWidget([f"t{i}" for i in range(60)], Q=np.ones((60, 1)), K=K, V=K)
    words = texts(saved(w, view="neuron"))
    assert {"t3", "t50", "48 of 60 keys, those with the largest weights."} <= {*words}
    assert len([word for word in words if re.fullmatch(r"t\d+", word)]) == 48


def test_the_steps_have_every_matrix_with_its_numbers():
    w = AttentionWidget("The cat sat", init="normal", seed=3, presets="causal")
    svg = saved(w, view="steps")
    words = texts(svg)
    names = ["X", "W_q", "W_k", "W_v", "Q", "K", "V", "scores", "mask", "attention", "output"]
    assert [word for word in words if word in names] == names
    matrices = groups(svg)
    arrays = [w.embeddings, w.W_q, w.W_k, w.W_v, w.Q, w.K, w.V, w.scores, None, None, w.output]
    assert len(matrices) == len(arrays)
    for cells, array in zip(matrices, arrays, strict=True):
        if array is not None:
            top = np.abs(array).max()
            assert {at: ramp((array[at] / top + 1) / 2, signed_stops()) for at in cells} == cells
            assert len(cells) == array.size
    mask = np.triu(np.ones((3, 3), bool), 1)
    for (q, k), color in matrices[9].items():
        wanted = ramp(w.attention[q, k], stops("viridis"))
        assert color == (rgb(css("masked")) if mask[q, k] else wanted)
    assert {at for at, color in matrices[8].items() if color == rgb(css("masked"))} == {
        tuple(at) for at in np.argwhere(mask).tolist()
    }
    assert words.count("−∞") == 3
    assert {f"{number:.2f}" for number in w.attention[~mask]} <= {*words}


def test_steps_of_many_tokens_leave_out_the_middle():
    w = AttentionWidget([f"t{i}" for i in range(20)], d_model=3)
    svg = saved(w, view="steps")
    scores = groups(svg)[7]
    assert max(scores) == (6, 6)
    top = np.abs(w.scores).max()
    assert scores[6, 5] == ramp((w.scores[19, 18] / top + 1) / 2, signed_stops())
    assert {"t3", "t18", "⋱"} <= {*texts(svg)}
    assert "t4" not in texts(svg)


def test_numbers_set_by_hand_have_a_corner():
    w = AttentionWidget("a b c", d_model=2)
    before = len([*saved(w, view="steps").iter(f"{SVG}polygon")])
    embeddings = w.embeddings.copy()
    embeddings[1, 1] = 3
    w.embeddings = embeddings
    svg = saved(w, view="steps")
    marks = [p for p in svg.iter(f"{SVG}polygon") if p.get("fill") == css("accent")]
    assert len(marks) == len(w.overridden.get("embeddings", [])) // 2
    assert len([*svg.iter(f"{SVG}polygon")]) - before == len(marks)


def test_the_grid_has_every_head_with_its_statistic():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(4), (2, 3, 4))
    w = AttentionWidget.from_arrays(weights, "a b c d", view="grid", cmap="magma")
    svg = saved(w)
    maps = groups(svg)
    assert len(maps) == 7  # and the bar
    for cells, p in zip(maps, weights.reshape(6, 4, 4), strict=False):
        for at, color in cells.items():
            assert color == ramp(round(255 * np.sqrt(p[at] / p.max())) / 255, stops("magma"))
    entropy = -(weights * np.log2(weights)).sum(axis=-1).mean(axis=-1)
    words = texts(svg)
    assert [f"{number:.2f}" for number in entropy.ravel()] == [
        word for word in words if re.fullmatch(r"\d\.\d\d", word)
    ]
    assert {"layer 0", "layer 1", "head 0", "head 2"} <= {*words}
    w.grid_order = "statistic"
    words = texts(saved(w))
    order = np.argsort(-entropy.ravel())
    assert [word for word in words if "·" in word and word[0].isdigit()] == [
        f"{at // 3}·{at % 3}" for at in order
    ]


def test_a_grid_of_a_sentence_has_the_mask():
    w = AttentionWidget("a b c", n_heads=2, d_k=2, presets="causal", view="grid")
    cells = groups(saved(w))[1]
    p = w.attention[1]
    for at, color in cells.items():
        assert color == ramp(round(255 * np.sqrt(p[at] / p.max())) / 255, stops("viridis"))
    assert cells[0, 2] == tuple(stops("viridis")[0])


@pytest.mark.parametrize("view", ["steps", "neuron"])
def test_given_weights_have_no_numbers_to_show(view):
    w = AttentionWidget.from_arrays(np.full((2, 2), 0.5), "a b")
    with pytest.raises(ValueError) as wanted:
        w.view = view
    with pytest.raises(ValueError) as refusal:
        w.save_svg(io.BytesIO(), view=view)
    assert str(wanted.value).endswith(str(refusal.value))


def test_views_that_have_no_figure_are_refused_in_words():
    w = AttentionWidget("a b c")
    with pytest.raises(ValueError, match="a single map needs no overview"):
        w.save_svg(io.BytesIO(), view="grid")
    with pytest.raises(ValueError, match="want one of heatmap, steps, lines, neuron, grid"):
        w.save_svg(io.BytesIO(), view="bertviz-head")
    model = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat")
    model.view = "bertviz-head"
    with pytest.raises(ValueError, match="'bertviz-head' is on screen"):
        model.save_svg(io.BytesIO())
    assert "cat" in texts(saved(model, view="heatmap"))


@pytest.mark.parametrize(
    ("view", "narrowest"),
    [("heatmap", 40), ("steps", 120), ("lines", 40), ("neuron", 80), ("grid", 40)],
)
@pytest.mark.parametrize("palette", ["light", "print"])
def test_everything_is_inside_the_figure(view, narrowest, palette):
    w = AttentionWidget(["The", "x" * 60, "猫が座った", "שלום", "on", " "], n_heads=2, d_k=3)
    for width in (narrowest, (narrowest + 170) / 2, 170):
        svg = saved(w, view=view, palette=palette, width=width)
        across, down = map(float, svg.get("viewBox").split()[2:])
        for text in svg.iter(f"{SVG}text"):
            # A letter is at least a fifth as wide as the font is high.
            length = 0.2 * len(text.text) * float(text.get("font-size"))
            turned = text.get("transform") is not None
            anchor = text.get("text-anchor") or "start"
            start = {"start": 0, "middle": -0.5, "end": -1}[anchor] * length * (not turned)
            assert float(text.get("x")) + start >= 0
            assert float(text.get("x")) + start + length * (not turned) <= across
            assert 0 < float(text.get("y")) <= down
        for _, _, lines in strokes(svg):
            assert (lines[:, [0, 2]] >= 0).all()
            assert (lines[:, [0, 2]] <= across).all()
            assert (lines[:, [1, 3]] <= down).all()
