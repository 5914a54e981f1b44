"""Sections of other files in a page, and links that lead to the same place in the site.

A page of docs/ takes a section of README.md or CONTRIBUTING.md with a comment on a line of its own:

    <!-- include: README.md#words -->

The section has its heading, and ends before the next heading that is not below it. Without an
anchor, it is the text before the first heading of the second level.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
INCLUDE = re.compile(r"^<!-- include: ([\w./-]+)(?:#([\w-]+))? -->$", re.M)
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
_HEADING = re.compile(r"^(#+) (.*)$", re.M)
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")
_NOTEBOOKS = "notebooks/"


def slug(heading: str) -> str:
    """Return the anchor that GitHub and the site make of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def section(text: str, anchor: str | None) -> str:
    """Return the section of a Markdown text that has this anchor.

    Raises
    ------
    ValueError
        If no heading has the anchor.
    """
    # A comment of a program is no heading.
    blank = _FENCE.sub(lambda fence: "·" * len(fence.group()), text)
    headings = list(_HEADING.finditer(blank))
    if anchor is None:
        end = next((h.start() for h in headings if len(h.group(1)) == 2), len(text))
        return text[:end].rstrip()
    start = next((h for h in headings if slug(h.group(2)) == anchor), None)
    if start is None:
        raise ValueError(f"no heading has the anchor #{anchor}")
    below = [h for h in headings if h.start() > start.start()]
    ends = (h.start() for h in below if len(h.group(1)) <= len(start.group(1)))
    return text[start.start() : next(ends, len(text))].rstrip()


class Site:
    """Where each file of the repository, and each section of a file, is in the site."""

    def __init__(self, pages: dict[str, str]) -> None:
        """Take the Markdown text of each page by its path in docs/."""
        self._places = {f"docs/{page}": page for page in pages}
        for page, text in pages.items():
            for path, anchor in INCLUDE.findall(text):
                self._places[f"{path}#{anchor}"] = page

    def whole(self, page: str, text: str) -> str:
        """Return the text of a page with its sections, and with links that fit the site."""
        parts: list[str] = []
        end = 0
        for include in INCLUDE.finditer(text):
            path, anchor = include.groups()
            taken = section((ROOT / path).read_text(encoding="utf-8"), anchor)
            parts.append(self._linked(text[end : include.start()], f"docs/{page}", page))
            parts.append(self._linked(taken, path, page))
            end = include.end()
        parts.append(self._linked(text[end:], f"docs/{page}", page))
        return "".join(parts)

    def _linked(self, text: str, source: str, page: str) -> str:
        def link(match: re.Match[str]) -> str:
            label, target = match.groups()
            if re.match(r"\w+:", target) or (target[0] == "#" and source == f"docs/{page}"):
                return match.group()
            if target[0] == "#":
                target = posixpath.basename(source) + target
            return f"{label}({self._target(target, source, page)})"

        return outside_code(text, lambda prose: _LINK.sub(link, prose))

    def _target(self, target: str, source: str, page: str) -> str:
        """Return a link of the file `source` as a link of a page of the site."""
        name, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        tail = f"#{anchor}" if anchor else ""
        # A section that some page has; else a page or a picture of docs/; else a notebook.
        place = self._places.get(path + tail) or self._places.get(path)
        if place is None and path.startswith("docs/"):
            place = path.removeprefix("docs/")
        if place is None and path.startswith(_NOTEBOOKS):
            place = path
        if place is None:
            place = self._places.get(f"{path}#", name)
        return posixpath.relpath(place, posixpath.dirname(page) or ".") + tail


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return the text with a change of all that is not in a block of code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*parts, change(text[end:])])
