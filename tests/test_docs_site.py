"""The docs site: no warning, nothing from another host, an entry for each public name."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from docs_site import ROOT, Document, built
from live_widgets import with_widgets
from llms_index import first_sentence
from page_sections import Site, section
from sequence_diagram import diagram

import attnwidget
from attnwidget.export import MAX_BYTES

OUTSIDE = re.compile(r"(\w+:)?//")
IN_CSS = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site. The build is strict: a warning is an error."""
    return built(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Document]:
    return {path: Document(path.read_text()) for path in site.rglob("*.html")}


def test_every_page_of_docs_is_in_the_site(site):
    sources = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert len(sources) > 20
    assert not [path for path in sources if not (site / path).with_suffix(".html").exists()]


def test_a_page_loads_nothing_from_another_host(site, pages):
    loaded = {path: page.loads for path, page in pages.items()}
    assert all(any(name.endswith(".js") for name in names) for names in loaded.values())
    styles = {path: page.styles for path, page in pages.items()}
    styles |= {path: [path.read_text()] for path in [*site.rglob("*.css"), *site.rglob("*.svg")]}
    for path, texts in styles.items():
        found = [part for text in texts for pair in IN_CSS.findall(text) for part in pair if part]
        loaded[path] = [*loaded.get(path, []), *found]
    assert {
        (path, name) for path, names in loaded.items() for name in names if OUTSIDE.match(name)
    } == set()


def test_no_page_has_what_the_theme_loads_a_script_for(pages):
    # Material loads Mermaid for a diagram, and the number of stars for a repository.
    for page in pages.values():
        assert "mermaid" not in page.classes
        assert "md-source" not in page.classes


def test_links_inside_the_site_lead_somewhere(site, pages):
    count = 0
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links begin at the root of the host
        for link in [*page.links, *page.loads]:
            name, _, anchor = unquote(link).partition("#")
            if OUTSIDE.match(link) or link.startswith(("mailto:", "data:")):
                continue
            target = (path.parent / name).resolve() if name else path
            count += 1
            assert target.is_file() or (target / "index.html").is_file(), (path, link)
            if anchor and target in pages and not anchor.startswith(("__", "only-")):
                assert anchor in pages[target].ids, (path, link)
    assert count > 500


def entry(site: Path, name: str) -> str:
    """Return the HTML of the entry of a public name, without its members."""
    for path in sorted((site / "reference").glob("*.html")):
        text = path.read_text()
        start = text.find(f'id="attnwidget.{name}"')
        if start >= 0:
            return re.split(r"<h[23] id=", text[start:])[0]
    raise AssertionError(f"{name} has no entry")


@pytest.mark.parametrize("name", attnwidget.__all__)
def test_a_public_name_has_an_entry_with_its_parameters(site, name):
    text = re.sub(r"<[^>]+>", "", entry(site, name))
    value = getattr(attnwidget, name)
    if not callable(value):
        return
    parameters = list(inspect.signature(value).parameters.values())
    assert parameters
    for parameter in parameters:
        if parameter.kind is not parameter.VAR_KEYWORD:
            assert re.search(rf"\b{parameter.name}\b", text), parameter.name


@pytest.mark.parametrize("name", ["from_model", "save_svg", "save_module", "check", "compare"])
def test_a_method_has_an_entry(site, name):
    assert f'id="attnwidget.AttentionWidget.{name}"' in (site / "reference/widget.html").read_text()


def test_every_guide_and_how_to_page_has_a_live_card(site, pages):
    of_readers = [
        p for p in pages if p.parent.name in {"guide", "how-to"} or p.name == "figures.html"
    ]
    assert len(of_readers) >= 11
    for path in of_readers:
        modules = re.findall(r'class="live" data-module="([^"]+)"', path.read_text())
        assert modules, path
        for name in modules:
            module = (path.parent / name).resolve()
            assert module.stat().st_size <= MAX_BYTES
            assert "export default { render }" in module.read_text()
    posters = [name for page in pages.values() for name in page.loads if "#only-" in name]
    assert len(posters) == 2 * len(list((site / "live").glob("*.mjs")))


def test_llms_txt_names_each_page_with_its_text(site):
    lines = (site / "llms.txt").read_text().splitlines()
    assert lines[0] == "# attnwidget"
    assert lines[2].startswith("> ")
    named = [
        re.fullmatch(r"- \[[^]]+\]\(([\w/.-]+)\)(: .+)?", line) for line in lines if line[:1] == "-"
    ]
    assert all(named)
    texts = {match[1] for match in named}
    assert texts == {path.relative_to(site).as_posix() for path in site.rglob("*.md")}
    for name in texts:
        assert not re.search(r"^<(!--|figure|svg)", (site / name).read_text(), re.M), name


PAGE = (
    "# Top\n\nIntro.\n\n## One\n\n```\n## no heading\n```\n\n### Below\n\nx\n\n## Two & more\n\ny\n"
)


def test_a_section_ends_before_the_next_heading_of_its_level():
    assert section(PAGE, "one") == PAGE[PAGE.index("## One") : PAGE.index("\n\n## Two")]
    assert section(PAGE, "below") == "### Below\n\nx"
    assert section(PAGE, "two--more") == "## Two & more\n\ny"
    assert section(PAGE, None) == "# Top\n\nIntro."
    with pytest.raises(ValueError, match="no heading has the anchor #three"):
        section(PAGE, "three")


def test_a_link_of_a_section_leads_to_the_same_place_in_the_site():
    pages = {"a/b.md": "<!-- include: README.md#words -->", "card.md": "", "c.md": ""}
    site = Site(pages)
    assert site.whole("c.md", "[x](../README.md#words) `[y](z)`") == "[x](a/b.md#words) `[y](z)`"
    assert site.whole("a/b.md", "[x](../card.md#y)") == "[x](../card.md#y)"
    assert site.whole("a/b.md", "[x](../../notebooks/n.ipynb)") == "[x](../notebooks/n.ipynb)"
    assert site.whole("c.md", "[x](https://example.org)") == "[x](https://example.org)"
    assert site.whole("a/b.md", pages["a/b.md"]).startswith("## Words\n\n| word |")


def test_code_of_a_page_that_fails_names_the_page(tmp_path):
    text = "```python\n1 / 0\n```\n\n<!-- live: w | A card. -->\n"
    with pytest.raises(RuntimeError, match=r"docs/a\.md fails: ZeroDivisionError"):
        with_widgets("a.md", text, tmp_path)
    assert with_widgets("a.md", text.partition("<!--")[0], tmp_path) == text.partition("<!--")[0]


def test_a_diagram_has_each_participant_and_message():
    drawn = diagram("sequenceDiagram\nparticipant A as one\nparticipant B as two\nA->>B: go <on>\n")
    assert drawn.count("<rect") == 2
    assert ">go &lt;on&gt;</tspan>" in drawn
    with pytest.raises(ValueError, match="not understood: 'loop x'"):
        diagram("sequenceDiagram\nloop x\n")


def test_the_first_sentence_leaves_out_headings_links_code_and_comments():
    above = "<!-- live: w | x -->\n\n# Title\n\n```\na = 1\n\nb\n```\n\n"
    text = above + "`w` and a [link](x.md) say\nmore: B.\n"
    assert first_sentence(text) == "`w` and a link say more"
