"""The heatmap as SVG: colours, numbers, labels, masked cells, sizes and hostile words."""

from __future__ import annotations

import io
import re
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from figures import (
    SVG,
    crossed,
    css,
    groups,
    places,
    ramp,
    rgb,
    saved,
    signed_stops,
    stops,
    texts,
)
from hostile import HOSTILE
from models import ENCODERS, tokenizer

from attnwidget import AttentionWidget
from attnwidget.export.ramps import RAMPS, SIGNED

WEIGHTS = np.array([[0.7, 0.2, 0.1, 0.0], [0.25, 0.25, 0.5, 0.0], [0.1, 0.05, 0.05, 0.8]])
QUERIES, KEYS = "le chat noir", "a black cat here"


def given(**settings):
    return AttentionWidget.from_arrays(WEIGHTS, QUERIES, KEYS, **settings)


def test_the_colour_maps_are_the_cards():
    for name, digits in RAMPS.items():
        assert bytes.fromhex(digits) == stops(name).tobytes(), name
    assert bytes.fromhex(SIGNED) == signed_stops().tobytes()


@pytest.mark.parametrize("cmap", ["viridis", "turbo", "blues"])
def test_each_cell_has_the_colour_of_its_weight(cmap):
    cells, _bar = groups(saved(given(cmap=cmap)))
    assert cells == {(q, k): ramp(WEIGHTS[q, k], stops(cmap)) for q in range(3) for k in range(4)}


@pytest.mark.parametrize(
    ("scale", "share"),
    [
        ("row", lambda p, row: p / row.max()),
        ("map", lambda p, row: p / 0.8),
        ("sqrt", lambda p, row: (p / 0.8) ** 0.5),
    ],
)
def test_the_scale_of_the_colours_is_that_of_the_card(scale, share):
    cells, _bar = groups(saved(given(color_scale=scale)))
    assert cells == {
        (q, k): ramp(share(WEIGHTS[q, k], WEIGHTS[q]), stops("viridis"))
        for q in range(3)
        for k in range(4)
    }


def test_more_than_16_tokens_have_the_colours_of_the_square_root():
    weights = np.tile(np.arange(17) / 136, (2, 1))
    w = AttentionWidget.from_arrays(weights, "a b", [f"k{i}" for i in range(17)])
    cells, _bar = groups(saved(w))
    assert cells[1, 4] == ramp((4 / 16) ** 0.5, stops("viridis"))
    assert "√ attention" in texts(saved(w))  # the map is low


def softmax_of(Q, K, mask):
    result = np.zeros(mask.shape)
    for i, q in enumerate(Q):
        powers = [0 if mask[i, j] else np.exp(q @ k / np.sqrt(len(q))) for j, k in enumerate(K)]
        result[i] = np.array(powers) / sum(powers)
    return result


def test_a_sentence_has_the_colours_of_its_softmax_and_masked_cells_are_hatched():
    Q = np.array([[1.0, 0.5, 2], [-1, 0.3, 0.2], [0.4, 0.9, -2], [2, -1, 0.1]])
    K = np.array([[0.2, 1.0, 1], [1, -1, 0.5], [0.3, 0.3, 0.3], [-0.7, 2, 0.6]])
    w = AttentionWidget("one two three four", Q=Q, K=K, V=K, presets="causal")
    w.toggle(3, 1)
    mask = np.triu(np.ones((4, 4), bool), 1)
    mask[3, 1] = True
    svg = saved(w)
    cells = groups(svg)[0]
    weights = softmax_of(Q, K, mask)
    for (q, k), color in cells.items():
        wanted = rgb(css("masked")) if mask[q, k] else ramp(weights[q, k], stops("viridis"))
        assert color == wanted, (q, k)
    lines = crossed(svg, css("hatch"), (4, 4))
    assert (lines[mask] >= 2).all()
    assert not lines[~mask].any()
    numbers = [text for text in texts(svg) if re.fullmatch(r"\d\.\d\d", text)]
    shown = [f"{weights[q, k]:.2f}" for q in range(4) for k in range(4) if not mask[q, k]]
    assert sorted(numbers) == sorted([*shown, *(t for t in numbers if t in {"0.25", "0.75"})])


def test_cells_that_a_model_masks_are_hatched_in_both_directions():
    from models import DECODERS

    w = AttentionWidget.from_model(DECODERS["gpt2"](), tokenizer(), "the cat sat on the mat")
    w.toggle(5, 0)
    svg = saved(w)
    rising, falling = np.zeros((6, 6), int), np.zeros((6, 6), int)
    for path in svg.iter(f"{SVG}path"):
        line = re.search(r"M([-\d.]+) ([-\d.]+)L([-\d.]+) ([-\d.]+)", path.get("d"))
        ax, ay, bx, by = map(float, line.groups())
        if path.get("stroke") == css("hatch"):
            one = ElementTree.Element(f"{SVG}svg")
            one.extend([next(svg.iter(f"{SVG}g")), path])
            counts = crossed(one, css("hatch"), (6, 6))
            if (ax < bx) == (ay > by):
                rising += counts
            else:
                falling += counts
    locked = np.triu(np.ones((6, 6), bool), 1)
    np.testing.assert_array_equal(falling > 0, locked)
    locked[5, 0] = True
    np.testing.assert_array_equal(rising > 0, locked)


def test_scores_have_the_signed_colours():
    Q, K = np.array([[2.0, 0], [0, -1]]), np.array([[1.0, 0], [0, 1], [-2, 1]])
    w = AttentionWidget("a b", key_tokens="x y z", Q=Q, K=K, V=K, scale=1, quantity="scores")
    cells, _bar = groups(saved(w))
    scores = Q @ K.T
    assert cells == {
        (q, k): ramp((scores[q, k] / 4 + 1) / 2, signed_stops()) for q in range(2) for k in range(3)
    }
    assert "score, before mask and softmax" in texts(saved(w))


@pytest.mark.parametrize(
    ("quantity", "words"),
    [("value-norm", "attention · ‖v‖"), ("output-shift", "output would move by")],
)
def test_a_quantity_has_its_colours_and_words(quantity, words):
    V = np.array([[3.0, 4], [1, 0], [0, 2], [0.5, 0.5]])
    w = AttentionWidget("a b c d", V=V, init="normal", seed=2, quantity=quantity)
    if quantity == "value-norm":
        numbers = w.attention * np.array([5.0, 1, 2, 0.5**0.5])
    else:
        numbers = np.array(
            [
                [
                    np.linalg.norm((np.delete(p, j) / (1 - p[j])) @ np.delete(V, j, axis=0) - p @ V)
                    for j in range(4)
                ]
                for p in w.attention
            ]
        )
    svg = saved(w)
    assert words in texts(svg)
    for (q, k), color in groups(svg)[0].items():
        wanted = ramp(numbers[q, k] / numbers.max(), stops("viridis"))
        # The page computes with float32: a number may round to the next of the 256 colours.
        assert np.abs(np.subtract(color, wanted)).max() <= 5


def test_a_mistake_has_the_colours_of_the_wrong_weights_and_its_name():
    w = AttentionWidget("a b c", init="normal", seed=3, mistake="wrong-axis")
    powers = np.exp(w.scores)
    wrong = powers / powers.sum(axis=0)
    svg = saved(w)
    cells = groups(svg)[0]
    assert cells == {
        (q, k): ramp(wrong[q, k], stops("viridis")) for q in range(3) for k in range(3)
    }
    assert "with the mistake wrong-axis" in texts(svg)


def test_labels_title_caption_and_bar():
    w = given(title="My map")
    words = texts(saved(w, caption="Three queries."))
    assert [*QUERIES.split(), *KEYS.split(), "query", "key", "My map"] == [
        word
        for word in [*QUERIES.split(), *KEYS.split(), "query", "key", "My map"]
        if word in words
    ]
    assert {"Three queries.", "attention weight", "0", "0.5", "1"} <= {*words}
    without = saved(w, title="", colorbar=False)
    assert not {"My map", "attention weight", "0.5", "1"} & {*texts(without)}
    assert len(groups(without)) == 1
    assert "Other" in texts(saved(w, title="Other"))


def test_the_title_names_layer_and_head_of_a_model():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat on the mat")
    w.layer, w.head = 2, 3
    svg = saved(w)
    assert "layer 2, head 3" in texts(svg)
    weights = w.weights(2, 3)
    for (q, k), color in groups(svg)[0].items():
        assert color == ramp(float(np.float32(weights[q, k])), stops("viridis"))


def test_a_screen_reader_has_a_title_and_the_paragraph():
    svg = saved(given(title="My map"))
    assert svg.get("role") == "img"
    assert svg.find(f"{SVG}title").text == "My map"
    assert "Largest weights: noir → here 0.80" in svg.find(f"{SVG}desc").text


@pytest.mark.parametrize(
    ("options", "width", "viewbox"),
    [
        ({}, "85mm", 850),
        ({"width": 120}, "120mm", 1200),
        ({"width": 3.5, "unit": "in"}, "3.5in", 889),
    ],
)
def test_the_width_is_stated_in_the_unit_of_the_caller(options, width, viewbox):
    svg = saved(given(), **options)
    assert svg.get("width") == width
    across, down = map(float, svg.get("viewBox").split()[2:])
    assert across == viewbox
    unit = options.get("unit", "mm")
    height = float(svg.get("height").removesuffix(unit)) * {"mm": 10, "in": 254}[unit]
    assert height == pytest.approx(down, abs=0.06)
    start, size = places(svg)
    assert start[0] + 4 * size[0] < across
    assert start[1] + 3 * size[1] < down


def test_the_print_palette_is_grey():
    w = given(cmap="magma", presets="causal")
    svg = saved(w, palette="print")
    cells, _bar = groups(svg)
    mask = np.triu(np.ones((3, 4), bool), 1)
    for (q, k), color in cells.items():
        wanted = (255,) * 3 if mask[q, k] else ramp(float(w.attention[q, k]), stops("greys"))
        assert color == wanted
    colors = {value for each in svg.iter() for value in (each.get("fill"), each.get("stroke"))}
    assert all(len({*rgb(color)}) == 1 for color in colors - {None, "none"} if color[0] == "#")
    lines = crossed(svg, "#808080", (3, 4))
    assert (lines[mask] > 0).all()
    assert not lines[~mask].any()


def test_hostile_tokens_are_text():
    tokens = [*HOSTILE, "]]>", "a\u202eb\u2066c", "$x^2$", "  ", "猫が", "\ufffe"]
    w = AttentionWidget(tokens, title="<b>&\x01\ud800" + "y" * 5000)
    svg = saved(w, caption="<i>]]>\x02</i>", width=240)
    names = {child.tag.removeprefix(SVG) for child in svg.iter()}
    assert names <= {"svg", "title", "desc", "rect", "g", "path", "text"}
    words = texts(svg)
    assert {"]]>", "a·b·c", "$x^2$", "⏎", "␣␣", "∅", "猫が", "שלום"} <= {*words}
    assert any(word.startswith("<script>gl") for word in words)
    assert max(map(len, words)) < 200
    # Every label and every line of the title is inside the figure.
    assert float(svg.get("width").removesuffix("mm")) == 240


def test_labels_of_many_tokens_do_not_overlap():
    names = [f"token{i}" for i in range(200)]
    w = AttentionWidget.from_arrays(np.full((200, 200), 1 / 200), names)
    svg = saved(w)
    rows = [t for t in svg.iter(f"{SVG}text") if t.get("text-anchor") == "end"]
    heights = sorted(float(t.get("y")) for t in rows if t.text in names)
    assert len(heights) > 10
    assert min(np.diff(heights)) >= float(rows[0].get("font-size"))
    columns = [t for t in svg.iter(f"{SVG}text") if "rotate" in (t.get("transform") or "")]
    across = sorted(float(t.get("x")) for t in columns if t.text in names)
    assert len(across) > 10
    assert min(np.diff(across)) >= float(columns[0].get("font-size"))


def test_a_map_of_very_many_cells_is_an_image_of_its_colours():
    from matplotlib.image import imread

    weights = np.full((200, 200), 0.001)
    weights[3, 190] = 1 - 0.001 * 199
    w = AttentionWidget.from_arrays(weights, ["t"] * 200, color_scale="unit")
    (image,) = saved(w).iter(f"{SVG}image")
    import base64

    data = base64.b64decode(image.get("href").removeprefix("data:image/png;base64,"))
    pixels = np.rint(imread(io.BytesIO(data))[..., :3] * 255).astype(int)
    assert pixels.shape == (200, 200, 3)
    assert tuple(pixels[3, 190]) == ramp(weights[3, 190], stops("viridis"))
    assert tuple(pixels[190, 3]) == ramp(0.001, stops("viridis"))


def test_64_tokens_take_less_than_200_ms():
    w = AttentionWidget(" ".join(f"t{i}" for i in range(64)), presets="causal")
    assert w.attention.shape == (64, 64)  # computed before the time is taken

    def seconds():
        start = time.perf_counter()
        w.save_svg(io.BytesIO())
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.2
