"""What MkDocs calls while it builds the site: sections, live widgets, diagrams, llms.txt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from live_widgets import with_widgets
from llms_index import as_text, llms_txt
from mkdocs.structure.files import File
from page_sections import ROOT, Site
from sequence_diagram import with_diagrams
from tables import with_tables

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation, StructureItem
    from mkdocs.structure.pages import Page


class Build:
    """What one call of MkDocs keeps for the next."""

    site: Site
    nav: Navigation


_build = Build()


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the notebooks, to which pages link, and find where each section is."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    texts = {file.src_uri: file.content_string for file in files.documentation_pages()}
    _build.site = Site(texts)
    return files


def on_nav(nav: Navigation, **_: object) -> Navigation:
    """Keep the navigation for the index."""
    _build.nav = nav
    return nav


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Return the text of a page with its tables, live widgets, sections and diagrams."""
    name = page.file.src_uri
    text = with_widgets(name, with_tables(markdown), Path(config.site_dir))
    return with_diagrams(_build.site.whole(name, text))


def on_post_build(*, config: MkDocsConfig) -> None:
    """Write the text of each page beside the page, and llms.txt."""
    folder = Path(config.site_dir)
    sections: dict[str, list[tuple[str, str, str]]] = {}
    for item in _build.nav.items:
        for page in _pages(item):
            path, text = page.file.src_uri, page.markdown or ""
            (folder / path).write_text(as_text(text), encoding="utf-8")
            heading = str(item.title) if item.is_section else "Overview"
            sections.setdefault(heading, []).append((str(page.title), path, text))
    index = llms_txt(config.site_name, config.site_description or "", sections)
    (folder / "llms.txt").write_text(index, encoding="utf-8")


def _pages(item: StructureItem) -> list[Page]:
    children = item.children if item.is_section else [item]  # type: ignore[attr-defined]
    return [child for child in children if child.is_page]
