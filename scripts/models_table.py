"""Write docs/models.md from what the tests of all architectures measure: `make models-table`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from zoo.table import PATH, Row, measured, names, page


def main() -> int:
    """Measure every entry; leave out, and name, each entry that is not what its tests want."""
    rows = [row_or_reason(where, name) for where, name in names()]
    PATH.write_text(page([row for row in rows if isinstance(row, Row)]))
    failed = [reason for reason in rows if isinstance(reason, str)]
    print(f"{PATH.name}: {len(rows) - len(failed)} lines")
    for reason in failed:
        print(f"left out: {reason}")
    return 1 if failed else 0


def row_or_reason(where: str, name: str) -> Row | str:
    """Return the line of an entry, or the reason why there is none."""
    try:
        return measured(where, name)
    except Exception as error:
        lines = str(error).splitlines() or [""]
        return f"{name}: {type(error).__name__}: {lines[0][:160]}"


if __name__ == "__main__":
    sys.exit(main())
