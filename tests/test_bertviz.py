"""The document against BertViz's own page, and its limits."""

import html
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from bertviz import head_view, model_view
from hostile import HOSTILE

from attnwidget.bertviz import maps as maps_module
from attnwidget.bertviz import page as page_module
from attnwidget.bertviz.document import Document, document


def maps(n_layers, n_heads, n, seed=0):
    draw = np.random.default_rng(seed).dirichlet(np.full(n, 0.2), (n_layers, n_heads, n))
    return list(draw.astype(np.float32))


def words(n):
    return [f"w{i}" for i in range(n)]


def params(page):
    """What BertViz's script is given, found without the code under test."""
    return json.JSONDecoder().raw_decode(page.split("const params = ", 1)[1])[0]


def told(page):
    found = params(page)
    del found["root_div_id"]  # drawn anew for each page
    return found


OPTIONS = {
    "nothing": {},
    "own numbers": {"layers": [1, 3, 7]},
    "some layers": {"layers": [1, 3, 7], "include_layers": [7, 3]},
    "two sentences": {"sentence_b_start": 2},
    "raw tokens": {"prettify_tokens": False},
    "some heads on": {"heads": [0, 3]},
    "some heads": {"include_heads": [3, 1]},
}
RAW = ["[CLS]", "Ġcat", "▁mat", "</w>on", "Ã©"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("kind", "options"),
    # The others are refused, see below.
    [(k, o) for k in ("head", "model") for o in OPTIONS
     if (k, o) not in {("head", "some heads"), ("model", "some heads on")}],
)  # fmt: skip
def test_bertviz_is_told_what_it_would_tell_itself(kind, options, theme):
    asked = dict(OPTIONS[options])
    weights = maps(3, 4, 5)
    ours = document(kind, weights, RAW, layer=3 if "layers" in asked else 1, theme=theme, **asked)

    numbers = asked.pop("layers", [0, 1, 2])
    by_number = dict(zip(numbers, weights, strict=True))
    tensors = [torch.tensor(by_number.get(i, weights[0]))[None] for i in range(numbers[-1] + 1)]
    rounded = [torch.round(tensor.double(), decimals=4) for tensor in tensors]
    asked = {"include_layers": numbers, "html_action": "return", **asked}
    if kind == "head":
        own = head_view(rounded, list(RAW), layer=numbers[1], **asked).data
    else:
        own = model_view(rounded, list(RAW), display_mode=theme, **asked).data
    assert told(ours) == told(own)
    assert markup(ours) == markup(own)
    given = np.array(params(ours)["attention"][0]["attn"])
    shown = np.array([by_number[i] for i in asked["include_layers"]])
    assert np.abs(given - shown[:, asked.get("include_heads", range(4))]).max() <= 5e-5


def markup(page):
    """The page's select elements; the id of the element around them is drawn anew."""
    return re.findall('<select id=".*?</select>', page, re.DOTALL)


def test_display_mode_is_the_theme():
    for said in ({"display_mode": "dark"}, {"theme": "dark", "display_mode": "dark"}):
        text = document("model", maps(1, 1, 2), words(2), **said)
        assert text.theme == "dark"
        assert params(text)["display_mode"] == "dark"
    assert document("model", maps(1, 1, 2), words(2)).theme == "light"
    with pytest.raises(ValueError, match="display_mode: got 'dark' and theme='light'"):
        document("head", maps(1, 1, 2), words(2), theme="light", display_mode="dark")


def test_what_is_shown_first_is_the_first_layer_included():
    text = document("head", maps(3, 2, 4), words(4), layers=[2, 5, 9], include_layers=[9, 2])
    assert params(text)["layer"] == 9


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_keep_their_place_in_every_dtype(dtype):
    weights = [np.arange(18, dtype=dtype).reshape(2, 3, 3) / dtype(17)]
    given = np.array(params(document("head", weights, words(3)))["attention"][0]["attn"])
    assert np.abs(given[0] - np.arange(18).reshape(2, 3, 3) / 17).max() <= 5e-4
    assert given[0, 0, 0, 0] == 0
    assert given[0, 1, 2, 2] == 1


@pytest.mark.parametrize("kind", ["head", "model"])
def test_tokens_are_data_whatever_they_hold(kind):
    text = document(kind, maps(2, 2, len(HOSTILE)), HOSTILE)
    assert params(text)["attention"][0]["left_text"] == HOSTILE
    # Scripts end where they should: the libraries, BertViz's, and the page's own three.
    plain = document(kind, maps(2, 2, 2), words(2))
    for tag in ("<script", "</script>", "<!--", "<img"):
        assert text.count(tag) == plain.count(tag)
    assert "\u2028" not in text


def test_the_weights_are_there_once_and_nothing_is_loaded():
    text = document("head", maps(1, 1, 2), ["needle", "b"])
    assert text.count('"needle"') == 2  # left and right
    assert not re.search(r"\b(src|href)\s*=\s*[\"']?(https?:|//)", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_a_notebook_shows_it_in_a_sandbox():
    text = document("head", maps(1, 1, 2), ["<a&\"'>", "b"])
    shown = re.fullmatch(r'<iframe sandbox="allow-scripts" ([^>]*)></iframe>', text._repr_html_())
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', shown[1])[1]) == str(text)
    assert len(repr(text)) < 100


def test_save_writes_the_document(tmp_path):
    text = document("model", maps(1, 2, 3), words(3))
    text.save(tmp_path / "view.html")
    assert isinstance(text, Document)
    assert (tmp_path / "view.html").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("layer", "kept"), [(0, [0, 1, 2]), (4, [3, 4, 5]), (7, [5, 6, 7]), (None, [0, 1, 2])]
)
def test_only_the_layers_around_the_shown_one_within_the_budget(layer, kept):
    weights = maps(8, 4, 64)
    one = len(document("head", weights[:1], words(64)))
    limit = one + 3 * 64 * 64 * 4 * 7  # room for three layers at their widest
    text = document("head", weights, words(64), layer=layer, max_bytes=limit)
    assert len(text.encode()) <= limit
    told = params(text)
    assert told["include_layers"] == kept
    assert told["layer"] == (layer or 0)
    given = np.array(told["attention"][0]["attn"])
    assert np.abs(given - np.array(weights)[kept]).max() <= 5e-5
    assert f"Layers {kept[0]} to {kept[-1]} (3 of 8)" in text
    assert "Layers 0 to 7" not in document("head", weights, words(64))


def test_two_sentences_are_counted_twice():
    weights = maps(8, 4, 32)
    one = len(document("head", weights[:1], words(32), sentence_b_start=9))
    limit = one + 3 * 32 * 32 * 4 * 7
    text = document("head", weights, words(32), sentence_b_start=9, layer=4, max_bytes=limit)
    assert len(text.encode()) <= limit
    assert params(text)["include_layers"] == [4, 5]


def test_only_as_many_lines_as_a_browser_draws(monkeypatch):
    monkeypatch.setattr(maps_module, "MAX_LINES", 2 * 3 * 5 * 5)
    weights = maps(4, 3, 5)
    assert params(document("model", weights, words(5), layer=3))["include_layers"] == [2, 3]
    assert params(document("head", weights, words(5), layer=3))["include_layers"] == [0, 1, 2, 3]
    monkeypatch.setattr(maps_module, "MAX_LINES", 3 * 5 * 5 - 1)
    for kind in ("head", "model"):
        with pytest.raises(ValueError, match="75 lines"):
            document(kind, weights, words(5))


def test_layers_that_are_dropped_are_never_asked_for():
    class Lazy(list):
        def __getitem__(self, at):
            assert at in (1, 2), "only these are shown"
            return super().__getitem__(at)

    weights = Lazy(maps(4, 4, 100))
    text = document("head", weights, words(100), layer=1, max_bytes=1_000_000)
    assert params(text)["include_layers"] == [1, 2]


@pytest.mark.parametrize(
    ("error", "words_of_it", "change"),
    [
        (ValueError, "kind: got 'neuron', want one of head, model", {"kind": "neuron"}),
        (ValueError, "theme: got 'blue', want one of light, dark", {"theme": "blue"}),
        (ValueError, "layer: got 2, want 0..1", {"layer": 2}),
        (TypeError, "layer: got '1'", {"layer": "1"}),
        (ValueError, "layers: got [1], want 2 different", {"layers": [1]}),
        (ValueError, "layers: got [1, 1], want 2 different", {"layers": [1, 1]}),
        (ValueError, "layer: got 0, want one of [1, 3]", {"layers": [1, 3], "layer": 0}),
        (ValueError, "layer: got 0, want 1..1", {"layer": 0, "include_layers": [1]}),
        (ValueError, "include_layers: got [2], want", {"include_layers": [2]}),
        (ValueError, "include_layers: got [0, 0], want", {"include_layers": [0, 0]}),
        (ValueError, "include_layers: got [], want", {"include_layers": []}),
        (TypeError, "include_layers: got 1, want", {"include_layers": 1}),
        (ValueError, "heads: got [2], want different numbers among [0, 1]", {"heads": [2]}),
        (ValueError, "want include_heads=, or kind='head'", {"heads": [1], "kind": "model"}),
        (ValueError, "want heads=, the heads switched on", {"include_heads": [1]}),
        (ValueError, "include_heads: got -1", {"include_heads": [-1], "kind": "model"}),
        (ValueError, "sentence_b_start: got 3, want at most 2", {"sentence_b_start": 3}),
        (ValueError, "sentence_b_start: got 0, want at least 1", {"sentence_b_start": 0}),
        (TypeError, "sentence_b_start: got True", {"sentence_b_start": True}),
        (ValueError, "display_mode: got 'blue'", {"display_mode": "blue"}),
        (ValueError, "max_bytes: got 0", {"max_bytes": 0}),
        (TypeError, "bertviz: unknown keyword 'colour', want one of", {"colour": "red"}),
        (ValueError, "want at most 800,000 lines and 1,000 bytes", {"max_bytes": 1000}),
        (TypeError, "tokens: got str", {"tokens": "abc"}),
        (TypeError, "tokens: got list", {"tokens": ["a", "b", 3]}),
        (ValueError, "tokens: got none", {"tokens": []}),
        (ValueError, "layer 0 has shape (2, 3, 3), want (any, 2, 2)", {"tokens": ["a", "b"]}),
        (ValueError, "weights: got no layer", {"weights": []}),
        (ValueError, "layer 0 has shape (3, 3)", {"weights": np.zeros((2, 3, 3))}),
        (ValueError, "layer 0 has shape (2, 3, 4)", {"weights": np.zeros((2, 2, 3, 4))}),
        (ValueError, "layer 1 has shape (1, 3, 3), want (2, 3, 3)",
         {"weights": [np.zeros((2, 3, 3)), np.zeros((1, 3, 3))]}),
        (ValueError, "layer 0 spans nan to nan", {"weights": np.full((2, 2, 3, 3), np.nan)}),
        (ValueError, "layer 0 spans -1 to -1", {"weights": -np.ones((2, 2, 3, 3))}),
        (ValueError, "layer 0 spans 1.5 to 1.5", {"weights": np.full((2, 2, 3, 3), 1.5)}),
        (TypeError, "layer 0 has dtype complex128", {"weights": np.zeros((2, 2, 3, 3), complex)}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(error, words_of_it, change):
    given = {"kind": "head", "weights": maps(2, 2, 3), "tokens": words(3), **change}
    with pytest.raises(error, match=re.escape(words_of_it)):
        document(given.pop("kind"), given.pop("weights"), given.pop("tokens"), **given)


def test_a_package_that_was_not_built_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(page_module, "_LIBRARIES", tmp_path / "bertviz_libs.js")
    with pytest.raises(RuntimeError, match="make build"):
        document("head", maps(1, 1, 2), words(2))


@pytest.mark.parametrize("absent", ["torch", "bertviz"])
def test_without_the_extra_it_says_what_to_install(absent):
    code = f"""
import sys
sys.modules[{absent!r}] = None
import numpy
from attnwidget.bertviz.document import document
try:
    document("head", [numpy.eye(2)[None]], ["a", "b"])
except ImportError as error:
    assert 'pip install "attnwidget[models]"' in str(error), error
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_it_imports_neither_torch_nor_bertviz():
    code = "import sys, attnwidget.bertviz.document as d; "
    code += "assert not {'torch', 'bertviz'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
