"""Numbers and tokens in figures are written as the card writes them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from attnwidget.export.words import column_format, fixed, number, two, visible

ROOT = Path(__file__).parents[1]
EDGES = [0.0, 0.125, -0.125, 0.0625, 0.625, 1.005, 1e-3, 9.995, 99.995, 1e5, 123456.7, 8.49e-4]
NUMBERS = [*EDGES, *(-each for each in EDGES), *np.random.default_rng(0).standard_normal(40)]
NUMBERS += [each * 10.0**power for each in (1.255, 9.996, -2.5) for power in range(-9, 9)]
TOKENS = [
    "e" + "\u0301" * 200 + "x",
    "", " ", "   ", "\n", "a\r\nb", "\t", "\x00", "\u200b", "\u00ad", "\u061c", "\u180e", "\u2060",
    "\u2064", "\u200d", "\ufe0f", "\u200d\ufe0f", "\u0301", "e\u0301", "\ufff9", "\u202ex", "שלום",
    "猫", "👩\u200d🚀", "##ing", "\u2028",
]  # fmt: skip
SCRIPT = """
import { columnFormat, fixed, number, two } from "./js/explain/numbers";
import { visible } from "./js/explain/tokens";
const { numbers, tokens } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const columns = [0, 1, 3, 6].map((power) => numbers.map((x) => x * 10 ** -power));
console.log(JSON.stringify({
  number: numbers.map(number), two: numbers.map(two),
  fixed: [0, 2, 3].map((digits) => numbers.map((x) => fixed(x, digits))),
  columns: columns.map((column) => column.map(columnFormat(column))),
  tokens: tokens.map(visible),
}));
"""


@pytest.fixture(scope="module")
def card():
    bundle = subprocess.run(
        [ROOT / "node_modules/.bin/esbuild", "--bundle", "--format=cjs", "--platform=node"],
        input=SCRIPT, cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    done = subprocess.run(
        ["node", "-e", bundle],
        input=json.dumps({"numbers": [float(x) for x in NUMBERS], "tokens": TOKENS}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_numbers(card):
    assert [number(x) for x in NUMBERS] == card["number"]
    assert [two(x) for x in NUMBERS] == card["two"]
    for digits, wanted in zip((0, 2, 3), card["fixed"], strict=True):
        assert [fixed(x, digits) for x in NUMBERS] == wanted


def test_a_column_of_numbers(card):
    for power, wanted in zip((0, 1, 3, 6), card["columns"], strict=True):
        column = [float(x) * 10.0**-power for x in NUMBERS]
        format_ = column_format(column)
        assert [format_(x) for x in column] == wanted


def test_tokens(card):
    assert [visible(token) for token in TOKENS] == card["tokens"]
