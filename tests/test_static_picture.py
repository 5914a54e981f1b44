"""The picture that a notebook keeps beside the widget, for readers without the widget."""

from __future__ import annotations

import io
import json
from base64 import b64decode

import nbformat
import numpy as np
import pytest
from figures import css, ramp, rgb, stops
from matplotlib.image import imread
from nbconvert import HTMLExporter, LatexExporter

from attnwidget import AttentionWidget

WEIGHTS = np.array([[0.7, 0.2, 0.1, 0.0], [0.25, 0.25, 0.5, 0.0], [0.1, 0.05, 0.05, 0.8]])
VIEW = "application/vnd.jupyter.widget-view+json"


def bundle(w):
    data, metadata = w._repr_mimebundle_()
    return data, metadata


def pixels_of(w):
    data, metadata = bundle(w)
    pixels = np.rint(imread(io.BytesIO(b64decode(data["image/png"])))[..., :3] * 255).astype(int)
    size = metadata["image/png"]
    assert pixels.shape[:2] == (2 * size["height"], 2 * size["width"])
    return pixels


def corners(pixels, shape, colors):
    """Return the colour near the upper left corner of each cell, from the places of two colours."""
    first = np.argwhere((pixels == colors[0]).all(axis=2)).min(axis=0)
    cell = 72 if max(shape) <= 6 else 480 // max(shape)
    rows, columns = np.indices(shape) * cell + first[:, None, None] + 1
    return pixels[rows, columns]


def test_each_cell_has_the_colour_of_its_weight():
    w = AttentionWidget.from_arrays(WEIGHTS, "le chat noir", "a black cat here")
    wanted = np.array([[ramp(p, stops("viridis")) for p in row] for row in WEIGHTS])
    found = corners(pixels_of(w), (3, 4), [wanted[0, 0]])
    np.testing.assert_array_equal(found, wanted)


def test_masked_cells_are_hatched():
    w = AttentionWidget("a b c", presets="causal", color_scale="unit")
    pixels = pixels_of(w)
    masked = (pixels == rgb(css("masked"))).all(axis=2)
    hatch = (pixels == rgb(css("hatch"))).all(axis=2)
    # Three of nine cells of 70 × 70 pixels, a sixth of which are stripes.
    assert masked.sum() + hatch.sum() == 3 * 70 * 70
    assert 0.12 < hatch.sum() / (3 * 70 * 70) < 0.21


def test_a_block_of_many_tokens_has_its_strongest_weight():
    weights = np.full((192, 192), 0.001)
    weights[7, 100] = 1 - 0.191
    w = AttentionWidget.from_arrays(weights, [f"t{i}" for i in range(192)], color_scale="unit")
    pixels = pixels_of(w)
    strong = np.argwhere((pixels == ramp(weights[7, 100], stops("viridis"))).all(axis=2))
    inside = strong[strong[:, 1] < strong[:, 1].min() + 100]
    assert len(inside) >= 25  # a cell of 5 × 5 pixels


@pytest.mark.parametrize("n", [1, 6, 48, 96, 600])
def test_the_picture_is_small(n):
    weights = np.random.default_rng(0).dirichlet(np.ones(n), n)
    w = AttentionWidget.from_arrays(weights, [f"token{i}" for i in range(n)])
    assert len(bundle(w)[0]["image/png"]) < 40_000


def test_a_very_large_map_has_the_paragraph_alone():
    w = AttentionWidget.from_arrays(np.full((1001, 1000), 0.001), ["q"] * 1001, ["k"] * 1000)
    assert "image/png" not in bundle(w)[0]
    assert "text/plain" in bundle(w)[0]


@pytest.mark.parametrize("quantity", ["attention", "scores", "value-norm", "output-shift"])
@pytest.mark.parametrize("tokens", [["<script>", "\ud800", "猫"], ["x" * 10_000, "", "\n"], ["a"]])
def test_any_token_has_a_picture(tokens, quantity):
    w = AttentionWidget(tokens, quantity=quantity, title="שלום " * 400)
    pixels = pixels_of(w)
    assert max(pixels.shape) < 2000
    # The picture of a script without characters names the place of the token.
    w.title = ""
    assert np.unique(pixels_of(w).reshape(-1, 3), axis=0).shape[0] > 10


def test_a_screen_reader_gets_the_paragraph_in_place_of_the_picture():
    data, metadata = bundle(AttentionWidget("a b"))
    assert metadata["image/png"]["alt"] == data["text/plain"]


def test_a_setting_turns_the_picture_off():
    w = AttentionWidget("a b")
    w.static_picture = False
    data, metadata = bundle(w)
    assert {VIEW, "text/plain"} == {*data}
    assert not metadata
    assert "image/png" in bundle(AttentionWidget("a b"))[0]


def test_nbconvert_shows_the_picture_in_html_and_latex():
    # LaTeX, because an SVG in its place stops the export where Inkscape is missing.
    w = AttentionWidget("The cat sat")
    data, metadata = bundle(w)
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("w", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook = nbformat.reads(json.dumps(notebook), 4)
    for template in ("lab", "classic"):
        html, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
        assert f'src="data:image/png;base64,{data["image/png"]}"' in html.replace("\n", "")
    assert 'alt="Self-attention of 3 queries' in html
    latex, resources = LatexExporter().from_notebook_node(notebook)
    (name,) = [name for name in resources["outputs"] if name.endswith(".png")]
    assert resources["outputs"][name] == b64decode(data["image/png"])
    assert name in latex
