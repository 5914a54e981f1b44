"""What the package promises: light to import, arrows one way, four dependencies."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "attnwidget"
HEAVY = {"torch", "transformers", "bertviz"}

# Each module and what it may import of the package, from the bottom up.
ARROWS = {
    "operands": set(),
    "checks": set(),
    "masks": {"checks"},
    "wire": set(),
    "history": {"sources.base"},
    "guard": set(),
    "attention": {"operands"},
    "statistics": {"operands"},
    "whatif": {"attention", "operands"},
    "positional": {"checks", "operands"},
    "presets": {"checks", "masks"},
    "mistakes": {"attention", "masks"},
    "cases": {"attention", "masks", "mistakes"},
    "student": {"attention", "masks", "cases", "mistakes"},
    "diagnosis": {"attention", "masks", "cases", "mistakes", "student"},
    "check": {"attention", "masks", "cases", "mistakes", "student", "diagnosis"},
    "edits": {"checks", "wire"},
    "arrays": {"wire"},
    "sources": set(),
    "sources.base": {"attention"},
    "sources.text": set(),
    "sources.draw": set(),
    "sources.sizes": {"checks"},
    "sources.outputs": {"checks"},
    "sources.given": {
        "checks",
        "sources.base",
        "sources.derived",
        "sources.sizes",
        "sources.text",
    },
    "sources.sentence": {
        "attention",
        "positional",
        "sources.draw",
        "sources.sizes",
        "wire",
    },
    "sources.carry": {"sources.sentence", "sources.sizes"},
    "sources.lab": {
        "attention",
        "checks",
        "positional",
        "sources.base",
        "sources.carry",
        "sources.draw",
        "sources.sentence",
        "sources.sizes",
        "sources.text",
    },
    "sources.recognise": set(),
    "sources.supported": {"sources.recognise"},
    "sources.patched": set(),
    "sources.borrow": {"sources.patched", "sources.recognise"},
    "sources.intercept": {"sources.patched"},
    "sources.calls": set(),
    "sources.banded": set(),
    "sources.multihead": {"sources.calls"},
    "sources.progress": {"sources.recognise"},
    "sources.proof": {"attention", "sources.calls", "sources.heads", "sources.rounding"},
    "sources.rounding": {"sources.calls"},
    "sources.rows": {"sources.image_tokens", "sources.stacks"},
    "sources.coverage": {"sources.calls", "sources.stacks"},
    "sources.watch": {
        "sources.banded",
        "sources.calls",
        "sources.layouts",
        "sources.multihead",
        "sources.proof",
        "sources.recognise",
        "sources.rows",
    },
    "sources.heads": {"attention", "sources.base", "sources.calls"},
    "sources.stacks": {"sources.base", "sources.calls"},
    "sources.patches": set(),
    "sources.tensors": {"checks"},
    "sources.unwrap": set(),
    "sources.options": set(),
    "sources.labels": set(),
    "sources.image_tokens": {"sources.patches"},
    "sources.token_labels": {"sources.base", "sources.image_tokens", "sources.labels"},
    "sources.reading": {
        "checks",
        "sources.base",
        "sources.rows",
        "sources.supported",
        "sources.tensors",
        "sources.token_labels",
    },
    "sources.positions": {"sources.base", "sources.patches", "sources.reading"},
    "bertviz_page": {"checks"},
    "bertviz_maps": {"checks"},
    "bertviz_write": {"bertviz_maps", "bertviz_page"},
    "bertviz_vendored": {"bertviz_page"},
    "bertviz_neuron_write": {"bertviz_maps", "bertviz_page", "bertviz_vendored"},
    "bertviz_neuron": {
        "bertviz_maps",
        "bertviz_neuron_write",
        "bertviz_page",
        "bertviz_vendored",
        "checks",
        "sources.labels",
    },
    "meaning": {"operands"},
    "words": set(),
    "sources.projection": set(),
    "sources.derived": {"checks", "meaning", "sources.base", "words"},
    "sources.growth": {"sources.calls"},
    "sources.writing": {
        "sources.capture",
        "sources.growth",
        "sources.model",
        "sources.options",
        "sources.reading",
        "sources.recorder",
        "sources.stacks",
        "sources.supported",
    },
    "notebook": set(),
    "sources.layouts": set(),
    "sources.recorder": {
        "sources.calls",
        "sources.coverage",
        "sources.intercept",
        "sources.layouts",
        "sources.proof",
        "sources.recognise",
        "sources.rows",
        "sources.supported",
        "sources.watch",
    },
    "sources.capture": {
        "sources.borrow",
        "sources.calls",
        "sources.coverage",
        "sources.intercept",
        "sources.progress",
        "sources.proof",
        "sources.recorder",
        "sources.rows",
        "sources.supported",
        "sources.watch",
    },
    "sources.model": {
        "checks",
        "meaning",
        "sources.base",
        "sources.calls",
        "sources.capture",
        "sources.coverage",
        "sources.derived",
        "sources.heads",
        "sources.labels",
        "sources.positions",
        "sources.projection",
        "sources.reading",
        "sources.stacks",
        "sources.supported",
        "sources.text",
    },
    "bertviz": {"bertviz_maps", "bertviz_page", "bertviz_write", "checks"},
    "computation": {"attention", "sources.base"},
    "lines": set(),
    "grid": {"statistics", "wire"},
    "size": {"sources.base"},
    "picking": {"checks", "sources.base"},
    "report": {"attention", "check", "mistakes", "wire"},
    "traits": {"arrays", "presets"},
    "showing": {
        "arrays",
        "computation",
        "documents",
        "edits",
        "guard",
        "history",
        "presets",
        "report",
        "size",
        "sources.base",
        "traits",
        "wire",
    },
    "state": {
        "checks",
        "edits",
        "guard",
        "history",
        "masks",
        "mistakes",
        "presets",
        "report",
        "showing",
        "size",
        "sources.base",
        "traits",
    },
    "editing": {"checks", "edits", "guard", "presets", "sources.base", "state"},
    "documents": {"bertviz", "bertviz_neuron", "bertviz_page", "sources.base"},
    "growing": {"notebook", "size", "sources.base"},
    "asking": {
        "bertviz_page",
        "check",
        "checks",
        "documents",
        "editing",
        "grid",
        "guard",
        "lines",
        "picking",
        "report",
        "size",
        "sources.base",
        "whatif",
    },
    "alignment": set(),
    "keywords": set(),
    "comparing": {"computation", "showing", "sources.base"},
    "comparison": {"alignment", "arrays", "checks", "comparing", "guard", "showing", "traits"},
    "widget": {
        "asking",
        "comparison",
        "growing",
        "keywords",
        "sources.base",
        "sources.given",
        "sources.lab",
        "sources.model",
        "sources.outputs",
        "sources.unwrap",
        "sources.writing",
    },
    "": {"masks", "widget"},
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


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_name)
def test_imports_point_one_way(path):
    name = module_name(path)
    own = {
        i.removeprefix("attnwidget").removeprefix(".")
        for i in imports(ast.parse(path.read_text()))
        if i.split(".")[0] == "attnwidget"
    }
    assert own <= ARROWS[name]


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


def test_importing_is_light():
    code = f"import sys, attnwidget; print(sorted({HEAVY} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_dependencies_are_these_four():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {d.split(">")[0] for d in project["dependencies"]}
    assert names == {"anywidget", "ipywidgets", "numpy", "traitlets"}
    models = {d.split(">")[0] for d in project["optional-dependencies"]["models"]}
    assert models == HEAVY


def test_no_registry_is_named_in_a_lock_file():
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()
    assert "://" not in (ROOT / "constraints-dev.txt").read_text()
