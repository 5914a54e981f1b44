"""The table of supported versions names what the package declares, and the script writes it."""

from __future__ import annotations

import re

import pytest
import versions
from test_structure import ROOT, tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = versions.PAGE.read_text()


def test_the_oldest_versions_are_those_of_the_package():
    declared = [
        *PROJECT["dependencies"],
        *(d for name in ("models", "figures") for d in PROJECT["optional-dependencies"][name]),
        f"python{PROJECT['requires-python']}",
    ]
    oldest = dict(re.split(">=", each) for each in declared)
    table = dict(re.findall(r"^\| (\w+)[^|]* \| ([\d.]+) \|", PAGE.partition("## What")[0], re.M))
    assert len(table) == 7
    assert {name.lower(): version for name, version in table.items()} == {
        name: oldest[name] for name in oldest if name not in {"bertviz", "torch"}
    }


def test_each_supported_python_is_a_classifier():
    classified = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if ":: 3." in c]
    assert classified == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert {row.python for row in versions.ROWS} <= set(classified)
    assert "Typing :: Typed" in PROJECT["classifiers"]
    assert "Framework :: Jupyter" in PROJECT["classifiers"]


def test_the_page_has_a_line_for_each_row():
    table = PAGE.partition("## What was run")[2]
    names = re.findall(r"^\| ([\w .]+) \| 3\.", table, re.M)
    assert names == [row.name for row in versions.ROWS]


def test_a_run_writes_its_line_alone():
    row = versions.ROWS[0]
    new = versions.line(row, "numpy 1.24.4", "7 passed", "2026-01-02")
    after = versions.updated(PAGE, row.name, new)
    assert new == "| oldest | 3.10 | numpy 1.24.4 | without torch | 7 passed | 2026-01-02 |"
    changed = set(after.splitlines()) - set(PAGE.splitlines())
    assert changed == {new}
    assert len(after.splitlines()) == len(PAGE.splitlines())
    with pytest.raises(ValueError, match="the table has no line 'other'"):
        versions.updated(PAGE, "other", new)


def test_the_result_is_the_count_of_pytest():
    lines = ["....\n", "2 failed, 11 passed, 3 skipped in 20.1s (0:00:20)\n", "\n"]
    assert versions.result(lines) == "2 failed, 11 passed, 3 skipped"
    assert (
        versions.result(["ERROR tests/x.py\n", "1 error in 2.0s\n"])
        == "failed before the first test"
    )


def test_light_tests_do_not_reach_torch(tmp_path, monkeypatch):
    (tmp_path / "test_a.py").write_text("from helper import f\n")
    (tmp_path / "helper.py").write_text("import numpy\nfrom inner.deep import g\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "deep.py").write_text("def g():\n    import torch\n")
    (tmp_path / "test_b.py").write_text("import numpy\n")
    monkeypatch.setattr(versions, "TESTS", tmp_path)
    assert versions.light() == [str(tmp_path / "test_b.py")]


def test_a_pin_takes_the_place_of_the_newest_package():
    packages = versions.ROWS[0].packages
    assert "anywidget==0.9.13" in packages
    assert "anywidget" not in packages
    assert "pytest" in packages
