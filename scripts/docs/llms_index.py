"""The index for language models: `llms.txt`, with the text of each page beside the page.

The format is the convention of llmstxt.org: a title, a quoted summary, and lists of links.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMENT = re.compile(r"^(?:<!--.*?-->|<svg.*?</svg>|<figure.*?</figure>)$", re.M | re.S)
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def llms_txt(name: str, summary: str, sections: Mapping[str, list[tuple[str, str, str]]]) -> str:
    """Return the index: of each section its pages, with title, path and text."""
    lines = [f"# {name}", "", f"> {summary}"]
    for heading, pages in sections.items():
        lines += ["", f"## {heading}", ""]
        for title, path, text in pages:
            said = first_sentence(text)
            lines.append(f"- [{title}]({path}){f': {said}' if said else ''}")
    return "\n".join(lines) + "\n"


def first_sentence(text: str) -> str:
    """Return the first sentence of the first paragraph of a page, without its links."""
    for block in re.split(r"\n\s*\n", _FENCE.sub("", _COMMENT.sub("", text))):
        words = " ".join(_LINK.sub(r"\1", block).split())
        if words and words[0] not in "#|!<-":
            return re.split(r"(?<=[.:?]) (?=[A-Z])", words)[0].rstrip(":")
    return ""


def as_text(text: str) -> str:
    """Return a page without comments and drawings."""
    return re.sub(r"\n{3,}", "\n\n", _COMMENT.sub("", text))
