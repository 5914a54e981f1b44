"""Tables of the pages that come from the code, in the place of `<!-- table: NAME -->`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attnwidget.lessons.mistakes import MISTAKES

if TYPE_CHECKING:
    from collections.abc import Callable

_TABLE = re.compile(r"^<!-- table: (\w+) -->$", re.M)


def with_tables(text: str) -> str:
    """Return a page with its tables."""
    return _TABLE.sub(lambda comment: TABLES[comment.group(1)](), text)


def mistakes() -> str:
    """Return the mistakes that a check names."""
    lines = ["| name | wrong line | right line | what breaks |", "|---|---|---|---|"]
    for mistake in MISTAKES.values():
        cells = [f"`{mistake.name}`", f"`{mistake.wrong}`", f"`{mistake.right}`", mistake.breaks]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {"mistakes": mistakes}
