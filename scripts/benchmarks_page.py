"""Write the sections of docs/benchmarks.md from what the benchmarks print: `make bench-page`.

Run: python scripts/benchmarks_page.py [name …]. Without a name, every script of benchmarks/ is run.
A section has the title and the description of the script, the command, and the printed lines. The
sections of other scripts stay as they are.
"""

from __future__ import annotations

import ast
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
# What `make bench-page` measures beyond the defaults of a script.
OPTIONS = {
    "gestures": "--times 6",
    "views": "--layers 6 12 --sizes 128 256 512 --bertviz 128 256 --model-view 128",
}
_COMMAND = re.compile(r"^python benchmarks/(\w+)\.py", re.M)


def names() -> list[str]:
    """Return the names of the benchmarks."""
    return sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))


def sections(page: str) -> tuple[str, dict[str, str]]:
    """Return the head of the page, and by the name of the script each section.

    Raises
    ------
    ValueError
        If a section has no command, or two sections have the same.
    """
    head, *parts = re.split(r"^(?=## )", page, flags=re.M)
    by_name: dict[str, str] = {}
    for part in parts:
        command = _COMMAND.search(part)
        if command is None or command[1] in by_name:
            raise ValueError(f"want a command of its own in the section {part.splitlines()[0]!r}")
        by_name[command[1]] = part
    return head, by_name


def section(name: str, title: str, text: str, printed: str, where: str) -> str:
    """Return the section of a script."""
    command = f"python benchmarks/{name}.py {OPTIONS.get(name, '')}".rstrip()
    return (
        f"## {title}\n\n```\n{command}\n```\n\n{text}\n\n"
        f"Printed on {where}:\n\n```\n{printed.rstrip()}\n```\n\n"
    )


def described(name: str) -> str:
    """Return the docstring of a script, without the line of the command."""
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8"))
    words = (ast.get_docstring(tree) or "").strip()
    return re.sub(r"\s*\bRun: python [^\n]*(\n|$)", "\n", words).strip()


def title(old: str | None, name: str) -> str:
    """Return the title of the section that a script has, or its name."""
    return old.splitlines()[0].removeprefix("## ") if old else name.capitalize()


def updated(page: str, printed: dict[str, str], where: str) -> str:
    """Return the page with new sections of these scripts."""
    head, old = sections(page)
    for name, lines in printed.items():
        old[name] = section(name, title(old.get(name), name), described(name), lines, where)
    return (head + "".join(f"{part.rstrip()}\n\n" for part in old.values())).rstrip() + "\n"


def machine() -> str:
    """Return what a reader needs to know of the machine."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def main() -> None:
    """Run the scripts that are named, and write their sections."""
    wanted = sys.argv[1:] or names()
    unknown = set(wanted) - set(names())
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(sorted(unknown))}; want {', '.join(names())}")
    for name in wanted:
        print(f"== {name}", flush=True)
        command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py")]
        done = subprocess.run(
            [*command, *OPTIONS.get(name, "").split()], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        print(done.stdout)
        if done.returncode:
            raise SystemExit(f"{name} failed: its section stays as it is")
        # After each script, because a later script may fail.
        page = updated(PAGE.read_text(encoding="utf-8"), {name: done.stdout}, machine())
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
