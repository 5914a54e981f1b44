"""PDF, PNG and axes of matplotlib; paths, and arguments that are refused before a file is there."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from figures import css, ramp, rgb, stops
from matplotlib import rc_context
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import imread

from attnwidget import AttentionWidget

WEIGHTS = np.array([[0.7, 0.2, 0.1, 0.0], [0.25, 0.25, 0.5, 0.0], [0.1, 0.05, 0.05, 0.8]])


def given(**settings):
    return AttentionWidget.from_arrays(WEIGHTS, "le chat noir", "a black cat here", **settings)


def pdf_of(w, **options):
    """Return an uncompressed PDF and the lines of its text."""
    file = io.BytesIO()
    with rc_context({"pdf.compression": 0}):
        assert w.save_pdf(file, **options) is None
    data = file.getvalue()
    # Streams begin with BT for a text; a font's own bytes have no such line.
    blocks = re.findall(rb"\nBT\n(.*?)\nET\n", data, re.S)
    parts = [re.findall(rb"\(((?:[^()\\]|\\.)*)\)", block, re.S) for block in blocks]
    return data, [b"".join(line).replace(b"\0", b"").decode("latin-1") for line in parts]


def test_a_pdf_has_the_text_as_text_and_the_size_in_points():
    data, lines = pdf_of(given(), caption="What looks at what.", width=100)
    assert data.startswith(b"%PDF-")
    words = {"le", "chat", "noir", "black", "cat", "here", "query", "key", "0.70", "0.80"}
    assert words | {"What looks at what."} <= {*lines}
    assert b"/Type3" not in data  # a font of type 3 is no text for many programs
    width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", data)[1])
    assert width == pytest.approx(100 / 25.4 * 72, abs=0.1)


def test_a_pdf_has_the_colours_of_the_cells_and_the_lines_of_the_mask():
    w = given()
    w.toggle(1, 2)
    data, _ = pdf_of(w, colorbar=False)
    fills = {
        tuple(round(float(channel) * 255) for channel in found)
        for found in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg", data)
    }
    weights = WEIGHTS.copy()
    weights[1] = [0.5, 0.5, 0, 0]
    wanted = {ramp(p, stops("viridis")) for p in weights.ravel()}
    assert wanted <= fills
    hatch = b" ".join(b"%.3f" % (c / 255) for c in rgb(css("hatch")))
    found = re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) RG", data)
    assert hatch in {b" ".join(b"%.3f" % float(c) for c in color) for color in found}


def test_a_token_with_dollars_is_no_formula():
    w = AttentionWidget(["$x^2$", "$", "\\frac{1}{2}", "b"])
    _, lines = pdf_of(w)
    assert "$x^2$" in lines


def pixels_of(w, **options):
    file = io.BytesIO()
    assert w.save_png(file, **options) is None
    file.seek(0)
    return np.rint(imread(file)[..., :3] * 255).astype(int)


@pytest.mark.parametrize("palette", ["light", "print"])
def test_a_png_has_the_colours_of_the_cells(palette):
    pixels = pixels_of(given(), palette=palette, title="", scale=4)
    assert pixels.shape[1] == round(85 / 25.4 * 96 * 4)
    known = {tuple(color) for color in np.unique(pixels.reshape(-1, 3), axis=0)}
    colors = stops("greys" if palette == "print" else "viridis")
    wanted = {ramp(p, colors) for p in WEIGHTS.ravel()}
    assert wanted <= known
    # A cell of the largest weight is as wide as a cell of the second weight.
    counts = [(pixels == ramp(p, colors)).all(axis=2).sum() for p in (0.7, 0.5, 0.2)]
    assert max(counts) < 1.35 * min(counts)


def test_a_png_is_as_large_as_its_scale_says():
    one, three = pixels_of(given(), scale=1), pixels_of(given(), scale=3)
    assert np.abs(np.subtract(three.shape[:2], 3 * np.array(one.shape[:2]))).max() <= 3
    inch = pixels_of(given(), scale=1, width=2, unit="in")
    assert inch.shape[1] == 192


@pytest.mark.parametrize("view", ["heatmap", "steps", "lines", "neuron", "grid"])
@pytest.mark.parametrize("palette", ["light", "print"])
def test_every_view_is_a_pdf_and_a_png_without_a_warning(view, palette):
    tokens = ["The", "cat", "שלום", "‖v‖", "␣", "<b>", "\x07", "\ud800"]
    if view == "heatmap":
        tokens.append("猫")  # a part of a font of 20 MB goes into the file, which takes a second
    w = AttentionWidget(tokens, n_heads=2, d_k=2, presets="causal")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data, lines = pdf_of(w, view=view, palette=palette)
        pixels = pixels_of(w, view=view, palette=palette, scale=1)
    assert data.startswith(b"%PDF-")
    assert view == "grid" or "cat" in lines
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def test_a_path_may_be_a_str_a_path_or_a_file(tmp_path):
    w = given()
    for name in ("a.svg", "b.pdf", "c.png"):
        save = getattr(w, f"save_{name[-3:]}")
        for path in (tmp_path / name, str(tmp_path / f"s{name}")):
            returned = save(path)
            assert returned == Path(path)
            assert Path(path).read_bytes()[:5] in {b"<?xml", b"%PDF-", b"\x89PNG\r"}
        with (tmp_path / f"f{name}").open("wb") as file:
            assert save(file) is None
        assert (tmp_path / f"f{name}").read_bytes()


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"view": "map"}, ValueError, "view: got 'map', want one of heatmap"),
        ({"view": "steps"}, ValueError, "'steps' needs Q, K and V"),
        ({"width": 10}, ValueError, "width: got 10 mm, want 40 to 2000 mm for heatmap"),
        ({"width": 85, "unit": "in"}, ValueError, "width: got 85 in, want 1.57 to 78.74 in"),
        ({"width": "wide"}, TypeError, "width: got 'wide', want a number"),
        ({"unit": "cm"}, ValueError, "unit: got 'cm', want one of mm, in"),
        ({"palette": "dark"}, ValueError, "palette: got 'dark', want one of light, print"),
        ({"title": 3}, TypeError, "title: got int, want a str or None"),
        ({"caption": b"a"}, TypeError, "caption: got bytes, want a str or None"),
        ({"colorbar": 1}, TypeError, "colorbar: got 1, want True or False"),
    ],
)
def test_a_wrong_argument_is_refused_before_a_file_is_there(tmp_path, kind, options, error, words):
    path = tmp_path / f"figure.{kind}"
    with pytest.raises(error, match=re.escape(words)):
        getattr(given(), f"save_{kind}")(path, **options)
    assert not path.exists()


def test_a_wrong_path_is_refused(tmp_path):
    w = given()
    with pytest.raises(ValueError, match=r"path: got 'a.PDF', want a name that ends in \.svg"):
        w.save_svg(tmp_path / "a.PDF")
    with pytest.raises(TypeError, match="path: got int, want a str, a Path or an open binary file"):
        w.save_png(3)
    with pytest.raises(TypeError, match="open for text, want mode 'wb'"):
        w.save_svg(io.StringIO())
    with pytest.raises(FileNotFoundError):
        w.save_svg(tmp_path / "missing" / "a.svg")
    for scale in (0, 50):
        with pytest.raises(ValueError, match=r"scale: got \d+, want 0.25 to 20"):
            w.save_png(tmp_path / "a.png", scale=scale)
    assert [*tmp_path.iterdir()] == []


def test_without_matplotlib_svg_works_and_the_others_say_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from attnwidget import AttentionWidget\n"
        "w = AttentionWidget('a b')\n"
        f"w.save_svg({str(tmp_path / 'a.svg')!r})\n"
        "for act in (lambda: w.save_pdf('x.pdf'), lambda: w.save_png('x.png'), w.plot):\n"
        "    try: act()\n"
        "    except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (tmp_path / "a.svg").exists()
    assert done.stdout.count("pip install matplotlib") == 3


def test_plot_draws_on_axes_with_the_cards_colours():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    w = given(title="A map", presets="causal")
    assert w.plot(ax=right, colorbar=False) is right
    assert not left.images
    (image,) = right.images
    mask = np.triu(np.ones((3, 4), bool), 1)
    for at, color in np.ndenumerate(np.zeros((3, 4))):
        wanted = rgb(css("masked")) if mask[at] else ramp(w.attention[at], stops("viridis"))
        assert tuple(image.get_array()[at]) == wanted, (at, color)
    assert [label.get_text() for label in right.get_yticklabels()] == ["le", "chat", "noir"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["a", "black", "cat", "here"]
    assert (right.get_xlabel(), right.get_ylabel(), right.get_title()) == ("key", "query", "A map")
    (hatching,) = [c for c in right.collections if isinstance(c, LineCollection)]
    for line in hatching.get_segments():
        middle = np.rint(np.mean(line, axis=0)).astype(int)
        assert mask[middle[1], middle[0]]
    assert len(figure.axes) == 2


def test_plot_makes_a_figure_with_a_colour_bar_that_savefig_draws():
    axes = AttentionWidget("$a $b c", quantity="scores").plot(palette="print")
    assert len(axes.figure.axes) == 2
    assert axes.figure.axes[1].get_ylabel() == "score, before mask and softmax"
    axes.figure.savefig(io.BytesIO())
    with pytest.raises(TypeError, match="ax: got Figure, want Axes of matplotlib or None"):
        AttentionWidget("a b").plot(Figure())


def test_a_figure_needs_no_pyplot_and_no_widget():
    code = (
        "import sys, io\n"
        "from attnwidget.session.session import Session\n"
        "from attnwidget.sources.lab import LabSource\n"
        "from attnwidget.export.figure import save_pdf, save_png, save_svg\n"
        "now = Session(LabSource.create('The cat sat')).now\n"
        "file = io.BytesIO()\n"
        "save_svg(now, file, None); save_pdf(now, file, None); save_png(now, file, None, 1)\n"
        "print(sorted({'matplotlib.pyplot', 'anywidget', 'traitlets', 'IPython'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_settings_of_matplotlib_stay(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with rc_context({"savefig.bbox": "tight", "font.size": 30, "text.usetex": True}):
        given().save_png(tmp_path / "a.png", scale=1)
    given().save_pdf(tmp_path / "a.pdf")
    assert dict(mpl.rcParams) == before
    assert imread(tmp_path / "a.png").shape[1] == round(85 / 25.4 * 96)
