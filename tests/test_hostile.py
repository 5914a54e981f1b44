"""Hostile text in every file and every paragraph that Python writes: text stays text, and short."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from hostile import HOSTILE, HUGE, TITLE
from jupyter_client.session import json_packer
from models import ENCODERS, tokenizer

from attnwidget import AttentionWidget
from attnwidget.session.session import Session

# What a terminal or a reader would obey: controls, and marks that turn the direction of a line.
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
VIEWS = ("heatmap", "steps", "lines", "neuron", "grid")
ELEMENTS = {"svg", "title", "desc", "rect", "g", "path", "text", "image", "polygon", "line"}


@pytest.fixture(scope="module")
def sentence():
    return AttentionWidget(HOSTILE, title=TITLE, n_heads=2)


@pytest.fixture(scope="module")
def model():
    """A model whose name, and whose tokens, are hostile."""
    model = ENCODERS["bert"]()
    model.config.name_or_path = model.config._name_or_path = TITLE
    source = AttentionWidget.from_model(model, tokenizer(), "the cat sat").store.now.source
    widget = AttentionWidget(Session(source))
    widget.tokens = HOSTILE[:3]
    return widget


@pytest.mark.parametrize("view", VIEWS)
def test_an_svg_has_no_script_no_handler_and_no_link(sentence, model, view, tmp_path):
    widget = model if view == "grid" else sentence
    path = widget.save_svg(tmp_path / "figure.svg", view=view, caption=TITLE)
    svg = ElementTree.fromstring(path.read_bytes())
    for element in svg.iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in ELEMENTS
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            if name.endswith("href"):
                assert value.startswith("data:image/png;base64,")
            assert "url(" not in value
            assert "javascript:" not in value
    words = "".join(svg.itertext())
    assert not OBEYED.search(words.replace("\n", ""))


def test_what_a_notebook_keeps_can_be_sent_and_is_plain(sentence):
    data, metadata = sentence._repr_mimebundle_()
    assert data.keys() == {
        "text/plain", "image/png", "application/vnd.jupyter.widget-view+json",
    }  # fmt: skip
    json_packer([data, metadata])
    assert not OBEYED.search(data["text/plain"])
    assert not OBEYED.search(repr(sentence))
    json_packer(sentence.get_state())


def test_a_huge_title_and_a_huge_token_leave_the_card_and_the_files_usable(tmp_path):
    widget = AttentionWidget([HUGE, "b", "c"], title=HUGE)
    data, metadata = widget._repr_mimebundle_()
    assert len(data["text/plain"]) + len(json.dumps(metadata)) < 2000
    assert len(repr(widget)) < 500
    for view in ("heatmap", "steps", "lines", "neuron"):
        assert widget.save_svg(tmp_path / "a.svg", view=view).stat().st_size < 60_000
    assert widget.save_pdf(tmp_path / "a.pdf").stat().st_size < 100_000
    # The page carries each of the texts, and the title of its tab is short.
    page = widget.save_html(tmp_path / "a.html", max_bytes=4_000_000).read_text("utf-8")
    (tab,) = re.findall("<title>(.*)</title>", page)
    assert len(tab) < 400
    with pytest.raises(ValueError, match="max_bytes: got 1,500,000, want at least"):
        widget.save_html(tmp_path / "a.html")


def test_a_long_token_costs_its_own_length_and_not_that_of_every_token():
    """An array of text would be as wide as its longest token: 4 GB here."""
    tokens = [HUGE, *[f"t{i}" for i in range(999)]]
    widget = AttentionWidget.from_arrays(np.full((2, 1000, 1000), 0.001), tokens)
    import tracemalloc

    from attnwidget.maths.statistics import duplicate_token

    tracemalloc.start()
    assert np.isnan(duplicate_token(widget.attention, tokens)), "no token is there twice"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000


def test_tokens_that_differ_in_their_last_character_are_two_tokens():
    """An array of text drops NUL characters at the end."""
    from attnwidget.maths.statistics import duplicate_token

    weights = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    assert duplicate_token(weights, ["a", "a\x00", "a\x00"]) == pytest.approx(1)


@pytest.mark.parametrize("text", ["-->", "<script>globalThis.ran = 1</script>", "a\x1b[31mb"])
def test_the_command_takes_hostile_text(text, tmp_path):
    files = ["-o", str(tmp_path / "a.html"), "--svg", str(tmp_path / "a.svg")]
    command = [sys.executable, "-m", "attnwidget", *files, f"--title={TITLE[:200]}", "--", text]
    done = subprocess.run(
        [part.replace("\x00", "").encode("utf-8", "replace") for part in command],
        capture_output=True,
        check=True,
    )
    assert b"Traceback" not in done.stderr
    ElementTree.parse(tmp_path / "a.svg")
    assert (tmp_path / "a.html").read_text("utf-8").count("<script") == 2
