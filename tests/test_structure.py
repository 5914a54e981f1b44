"""What the package promises: light to import, arrows one way, four dependencies."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it along for Python 3.10

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "attnwidget"
OF_MODELS = {"torch", "transformers", "bertviz"}
HEAVY = {*OF_MODELS, "matplotlib"}
# Which folder alone may import a library.
HOMES = {
    "anywidget": {"widget"},
    "ipywidgets": {"widget"},
    "traitlets": {"widget"},
    "IPython": {"widget"},
    "tqdm": {"widget"},
    "torch": {"capture", "bertviz", "search", "demo"},
    "transformers": {"capture", "bertviz", "demo"},
    "bertviz": {"bertviz"},
    "matplotlib": {"export"},
}

# Each folder and the folders that it may import; a folder may import itself, without a circle.
ARROWS = {
    "maths": set(),
    "sources": {"maths"},
    "capture": {"maths", "sources"},
    "lessons": {"maths", "sources"},
    "bertviz": {"maths", "sources"},
    "session": {"maths", "sources", "lessons", "bertviz"},
    "wire": {"maths", "sources", "lessons", "bertviz", "session"},
    "export": {"maths", "sources", "lessons", "bertviz", "session", "wire"},
    "search": {"maths", "sources", "capture", "export"},
    "widget": {
        "maths",
        "sources",
        "capture",
        "lessons",
        "bertviz",
        "session",
        "wire",
        "export",
        "search",
    },
    "demo": {"maths", "sources", "capture"},
    "": {"maths", "sources", "widget", "capture", "demo", "search", "cli"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module or "")
    return found


def own_imports(path: Path) -> set[str]:
    """Return the modules of the package that the file `path` imports."""
    names = imports(ast.parse(path.read_text()))
    return {name.partition(".")[2] for name in names if name.split(".")[0] == "attnwidget"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_name)
def test_imports_point_one_way(path):
    folder = module_name(path).rpartition(".")[0]
    assert {name.split(".")[0] for name in own_imports(path)} <= ARROWS[folder] | {folder}


def test_no_modules_import_each_other_in_a_circle():
    graph = {module_name(path): own_imports(path) for path in PACKAGE.rglob("*.py")}
    list(TopologicalSorter(graph).static_order())


def run_time_imports(path: Path) -> set[str]:
    """Return what the file `path` imports when it runs: not for types alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    return imports(tree)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_name)
def test_heavy_libraries_are_imported_inside_functions_only(path):
    tree = ast.parse(path.read_text())
    top = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    outer = ast.Module([n for n in top if not isinstance(n, ast.FunctionDef | ast.ClassDef)], [])
    assert not {name.split(".")[0] for name in imports(outer)} & HEAVY


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_name)
def test_no_function_is_longer_than_80_lines(path):
    # The count starts at the line of `def`: docstrings count, decorators do not.
    lengths = [
        (node.name, node.end_lineno - node.lineno + 1)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [(name, length) for name, length in lengths if length > 80] == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_name)
def test_a_library_is_imported_in_its_folder_alone(path):
    folder = module_name(path).partition(".")[0]
    names = {name.split(".")[0] for name in run_time_imports(path)}
    assert [name for name in names & HOMES.keys() if folder not in HOMES[name]] == []


def test_the_session_needs_no_jupyter():
    code = (
        "import sys, numpy as np; "
        "from attnwidget.session.session import Session; "
        "from attnwidget.session.commands import PaintCells; "
        "from attnwidget.sources.lab import LabSource; "
        "session = Session(LabSource.create('The cat sat')); "
        "session.do(PaintCells(np.array([5]), np.array([], int))); "
        "assert session.now.maps.mask[1, 2]; "
        "print(sorted({'anywidget', 'ipywidgets', 'traitlets', 'IPython'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_is_light():
    code = f"import sys, attnwidget; print(sorted({HEAVY} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_dependencies_are_these_four():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {d.split(">")[0] for d in project["dependencies"]}
    assert names == {"anywidget", "ipywidgets", "numpy", "traitlets"}
    models = {d.split(">")[0] for d in project["optional-dependencies"]["models"]}
    assert models == OF_MODELS
    assert project["optional-dependencies"]["figures"] == ["matplotlib>=3.8"]


def test_no_registry_is_named_in_a_lock_file():
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()
    assert "://" not in (ROOT / "constraints-dev.txt").read_text()
