"""The docs site, built in the process of the test, and what its files refer to."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[1]
# What a browser loads without a click: the attribute of each element that names a file.
LOADED = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src",
    "audio": "src", "embed": "src", "track": "src", "input": "src", "object": "data",
    "use": "href", "image": "href",
}  # fmt: skip
# A link to the page itself, or to a page before or after it, loads nothing.
NOT_LOADED = {"canonical", "prev", "next", "alternate", "author", "license", "search"}


def built(folder: Path, **options: Any) -> Path:
    """Build the site into a folder. A warning ends the build, unless `strict` is False."""
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), **options)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return folder


@dataclass
class Document(HTMLParser):
    """What a page loads, where it links to, and the anchors that it has."""

    text: str
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    styles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._is_style = False
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.ids |= {named[name] for name in ("id", "name") if named.get(name)}
        self.classes |= set(named.get("class", "").split())
        self.styles.append(named.get("style", ""))
        self._is_style = tag == "style"
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        if tag == "link" and named.get("rel") not in NOT_LOADED:
            self.loads.append(named.get("href", ""))
        if named.get(LOADED.get(tag, "")):
            self.loads.append(named[LOADED[tag]])
        self.loads += [part.split()[0] for part in named.get("srcset", "").split(",") if part]

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        if self._is_style:
            self.styles.append(data)
            self._is_style = False
