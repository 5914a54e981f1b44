"""The wire is as it was recorded: see golden_wire.py, which also says when to record it anew."""

from __future__ import annotations

import copy

import pytest
from golden_wire import SCRIPTS, differences, recorded, stored


@pytest.fixture(scope="module")
def golden():
    return stored()


def test_every_script_is_recorded(golden):
    assert list(golden) == list(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_wire_is_as_recorded(name, golden):
    lines = differences(golden[name], recorded(name))
    assert not lines, "\n".join([f"The wire differs from golden/wire.json in {name}:", *lines])


MESSAGES = [
    {"_change": {"acks": {"p": 1}, "rows": "int32 1 12"}, "error": "no"},
    {"mask": "uint8 4 × 3 ab"},
]


def changed(change):
    messages = copy.deepcopy(MESSAGES)
    change(messages)
    return messages


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda m: None, []),
        (lambda m: m[0]["_change"].update(since=3), []),
        (
            lambda m: m[0]["_change"]["acks"].update(p=2),
            ["message 1: _change.acks.p: got 2, recorded is 1"],
        ),
        (
            lambda m: m[0]["_change"].pop("rows"),
            ["message 1: _change.rows: missing, recorded is 'int32 1 12'"],
        ),
        (lambda m: m[0].pop("error"), ["message 1: error: missing, recorded is 'no'"]),
        (lambda m: m[1].update(layer=0), ["message 2: layer: not recorded, got 0"]),
        (
            lambda m: m[1].update(mask="uint8 4 × 3 cd"),
            ["message 2: mask: got 'uint8 4 × 3 cd', recorded is 'uint8 4 × 3 ab'"],
        ),
        (lambda m: m.pop(), ["1 messages, recorded are 2", "message 2: missing: mask"]),
        (
            lambda m: m.append({"view": "grid"}),
            ["3 messages, recorded are 2", "message 3: new: view"],
        ),
    ],
)
def test_a_difference_is_stated_by_message_and_name(change, lines):
    assert differences(MESSAGES, changed(change)) == lines
