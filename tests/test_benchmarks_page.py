"""docs/benchmarks.md has a section for each benchmark, and a run replaces that section alone."""

from __future__ import annotations

import pytest
from benchmarks_page import OPTIONS, PAGE, described, names, sections, updated


def test_the_page_has_one_section_for_each_benchmark():
    _, by_name = sections(PAGE.read_text())
    assert sorted(by_name) == names()


def test_a_run_replaces_the_section_of_its_script_alone():
    before = PAGE.read_text()
    after = updated(before, {"click": "   n  ratio\n   6   1.21\n\n"}, "2 cores")
    head, old = sections(before)
    new_head, new = sections(after)
    assert (new_head, list(new)) == (head, list(old))
    assert {name for name in old if new[name].rstrip() != old[name].rstrip()} == {"click"}
    assert new["click"].startswith(
        "## A click\n\n```\npython benchmarks/click.py\n```\n\nA click in"
    )
    assert "Printed on 2 cores:\n\n```\n   n  ratio\n   6   1.21\n```\n" in new["click"]
    # A second run with the same lines changes nothing.
    assert updated(after, {"click": "   n  ratio\n   6   1.21\n"}, "2 cores") == after


def test_a_benchmark_without_a_section_gets_one_at_the_end():
    head, by_name = sections(PAGE.read_text())
    page = head + "".join(text for name, text in by_name.items() if name != "edit")
    lines = updated(page, {"edit": "5 ms"}, "2 cores").splitlines()
    assert [line for line in lines if line.startswith("## ")][-1] == "## Edit"


def test_the_page_has_the_options_that_a_run_uses():
    for name, options in OPTIONS.items():
        assert f"\npython benchmarks/{name}.py {options}\n" in PAGE.read_text()


@pytest.mark.parametrize("name", names())
def test_every_benchmark_describes_itself(name):
    words = described(name)
    assert len(words) > 100
    assert "Run: python" not in words


def test_a_section_without_a_command_is_refused():
    with pytest.raises(ValueError, match="want a command of its own in the section '## B'"):
        sections("# Top\n\n## A\n\n```\npython benchmarks/a.py\n```\n\n## B\n\ntext\n")
