"""docs/models.md lists every family and class of the tests, with the stacks that are shown."""

from __future__ import annotations

import math

import pytest
from zoo.table import PATH, bound, called, heading, names, read


@pytest.mark.parametrize(("where", "name"), names())
def test_the_committed_table_has_the_entry(where: str, name: str) -> None:
    assert heading(where, name) in read(PATH.read_text()), "run `make models-table`"


def test_the_committed_table_has_no_other_line() -> None:
    known = {called(where, name) for where, name in names()}
    assert {line[:2] for line in read(PATH.read_text())} <= known, "run `make models-table`"


@pytest.mark.parametrize(
    ("error", "text"),
    [(0.0, "0"), (4e-8, "≤ 1e-7"), (6e-8, "≤ 2e-7"), (2.4e-7, "≤ 5e-7"), (3e-7, "≤ 1e-6")],
)
def test_an_error_is_printed_as_a_bound_with_slack(error: float, text: str) -> None:
    assert bound(error) == text
    if error:
        assert 2 * error <= float(text[2:]) or math.isclose(2 * error, float(text[2:]))
