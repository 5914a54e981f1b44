"""What MkDocs calls while it builds the site: sections, live widgets, diagrams, llms.txt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from page_sections import ROOT, Site
from llms_index import as_text, llms_txt
from sequence_diagram import with_diagrams
from live_widgets import with_widgets

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation, Section
    from mkdocs.structure.pages import Page

# Of the build: the places of sections, and the navigation.
_build: dict[str, object] = {}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the notebooks, to which pages link, and find where each section is."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    texts = {file.src_uri: file.content_string for file in files.documentation_pages()}
    _build["site"] = Site(texts)
    return files


def on_nav(nav: Navigation, **_: object) -> Navigation:
    """Keep the navigation for the index."""
    _build["nav"] = nav
    return nav


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Return the text of a page with its sections, diagrams and live widgets."""
    site = _build["site"]
    assert isinstance(site, Site)
    name = page.file.src_uri
    text = with_widgets(name, markdown, Path(config.site_dir))
    return with_diagrams(site.whole(name, text))


def on_post_build(*, config: MkDocsConfig) -> None:
    """Write the text of each page beside the page, and llms.txt."""
    folder = Path(config.site_dir)
    nav = _build["nav"]
    sections = []
    for item in nav.items:  # type: ignore[attr-defined]
        pages = [item] if item.is_page else _pages(item)
        entries = []
        for page in pages:
            path = page.file.src_uri
            (folder / path).write_text(as_text(page.markdown or ""), encoding="utf-8")
            entries.append((page.title, path, page.markdown or ""))
        if item.is_page and sections and sections[-1][0] == "Start":
            sections[-1][1].extend(entries)
        else:
            sections.append(("Start" if item.is_page else item.title, entries))
    text = llms_txt(config.site_name, config.site_description or "", sections)
    (folder / "llms.txt").write_text(text, encoding="utf-8")


def _pages(section: Section) -> list[Page]:
    return [child for child in section.children if child.is_page]  # type: ignore[attr-defined]
