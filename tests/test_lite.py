"""The labs for browsers without a server; `make lite` builds them and opens them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]


def loaded(path, monkeypatch):
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


def test_the_marimo_lab_runs_and_reads_the_mask(monkeypatch):
    pytest.importorskip("marimo")
    lab = loaded(ROOT / "notebooks" / "marimo_lab.py", monkeypatch)
    outputs, names = lab.app.run()
    assert names["w"].mask.shape == (6, 6)
    assert "0 of 36" in outputs[-1].text


def test_the_notebook_of_the_site_installs_the_wheel_and_is_otherwise_the_lab(monkeypatch):
    lite = loaded(ROOT / "scripts" / "lite.py", monkeypatch)
    book = nbformat.read(lite.NOTEBOOK, 4)
    changed = lite.with_install(book)
    assert changed.cells[0].source == "%pip install -q attnwidget"
    assert changed.cells[1:] == book.cells
    nbformat.validate(changed)
