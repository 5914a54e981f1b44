"""The pages for readers: links and pictures exist, the moving picture moves, the code runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from attnwidget import AttentionWidget, __version__
from attnwidget.session.settings import SETTABLE

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
README = PAGES[0].read_text()
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def links(page: Path) -> list[str]:
    return LINK.findall(page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and the bytes of RIFF chunks."""
    found, start = [], 0
    while start < len(data):
        length = int.from_bytes(data[start + 4 : start + 8], "little")
        found.append((data[start : start + 4], data[start + 8 : start + 8 + length]))
        start += 8 + length + length % 2
    assert start == len(data)
    return found


@every_page
def test_local_links_lead_somewhere(page):
    for link in links(page):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_picture_is_named_by_a_page_and_made_by_the_script():
    pictures = {path.name for path in DOCS.iterdir() if path.is_file() and path.suffix != ".md"}
    named = {Path(link).name for page in PAGES for link in links(page)}
    assert pictures <= named
    script = (ROOT / "scripts" / "pictures.py").read_text()
    assert set(re.findall(r'"([\w-]+\.(?:png|webp))"', script)) == pictures


def test_pictures_are_small_enough_for_a_page():
    assert sum(path.stat().st_size for path in DOCS.glob("*.png")) < 1_700_000


def test_the_moving_picture_moves_and_is_at_most_a_megabyte():
    data = (DOCS / "click.webp").read_bytes()
    assert len(data) <= 1_000_000
    ((name, body),) = chunks(data)
    assert (name, body[:4]) == (b"RIFF", b"WEBP")
    header, _, *frames = chunks(body[4:])
    assert header[0] == b"VP8X"
    width, height = (int.from_bytes(header[1][i : i + 3], "little") + 1 for i in (4, 7))
    assert len(frames) > 1
    milliseconds = 0
    for name, frame in frames:
        assert name == b"ANMF"
        left, top, across, down, ms = (
            int.from_bytes(frame[i : i + 3], "little") for i in range(0, 15, 3)
        )
        assert 2 * left + across + 1 <= width
        assert 2 * top + down + 1 <= height
        assert {name for name, _ in chunks(frame[16:])} <= {b"VP8 ", b"VP8L", b"ALPH"}
        milliseconds += ms
    assert 6_000 <= milliseconds <= 10_000


def test_the_first_screen_has_the_moving_picture_then_a_line_then_a_model():
    screen = README[: README.index("\n## ")]
    order = ["](docs/click.webp)", "AttentionWidget(", "](docs/grid-light.png)", "from_model("]
    places = [screen.index(text) for text in order]
    assert places == sorted(places)


def test_the_code_for_a_sentence_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the code writes files
    before_models = README[: README.index("\n## Models")]
    blocks = re.findall(r"^```python\n(.*?)^```$", before_models, re.M | re.S)
    blocks = [block for block in blocks if "from_model" not in block]
    assert len(blocks) == 7
    scope = {
        "my_embeddings": np.random.default_rng(0).normal(size=(6, 4)),
        "my_attention": lambda Q, K: Q @ K.T,
        "weights": np.full((3, 3), 1 / 3),
        "tokens": ["a", "b", "c"],
    }
    for block in blocks:
        exec(block, scope)
    w = scope["w"]
    assert w.view == "steps"
    assert w.attention.shape == (2, 6, 6)
    assert w.report.kind == "check"
    files = {"attention.svg", "attention.pdf", "attention.html", "lab.mjs"}
    assert {path.name for path in tmp_path.iterdir()} == files


def test_the_table_of_traits_names_what_a_widget_has():
    table = README[README.index("| name | shape") : README.index("`w.observe(")]
    rows = re.findall(r"^\| (`[^|]*) \|", table, re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    widget = AttentionWidget("a b")
    assert len(named) > 40
    assert not [name for name in named if not hasattr(widget, name)]
    settable = set(SETTABLE)
    assert settable <= named


def test_the_citation_has_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    # The keys that the format 1.2.0 requires.
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert (citation["cff-version"], citation["license"]) == ("1.2.0", "MIT")
    assert str(citation["version"]) == __version__
    assert all(author.get("name") for author in citation["authors"])
