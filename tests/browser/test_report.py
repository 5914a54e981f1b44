"""A student's function checked, and mistakes switched on, as the page shows them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect
from stepsview import StepsView, ask

MAKE = "import numpy as np\nfrom attnwidget import AttentionWidget, causal_mask\n"
WIDGET = MAKE + "w = AttentionWidget('The cat sat on the mat', view='steps', presets='causal')"

LAB = """def masked_attention_scores(Q, K, mask=None):
    d_k = Q.shape[1]
    scores = np.dot(Q, K.T) / np.sqrt(d_k)
    if mask is not None:
        scores += mask * -1e9
    return np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
"""
RIGHT = """def right(Q, K, mask=None):
    s = Q @ K.T / np.sqrt(K.shape[1])
    if mask is not None:
        s = np.where(mask, -np.inf, s)
    e = np.exp(s - s.max(axis=1, keepdims=True, initial=-1e300))
    total = e.sum(axis=1, keepdims=True)
    return e / np.where(total == 0, 1, total)
"""


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([WIDGET, "w"])


@pytest.fixture
def view(opened):
    opened.run_cell("w.mistake = None; w.report = None; w.mask = causal_mask(6)")
    return StepsView(opened)


def test_the_labs_own_mistake_is_named_and_mapped(view, opened):
    opened.run_cell(LAB + "r = w.check(masked_attention_scores, np.array([[0, 0, 0, 0, 0, -1]]))")
    report = view.root.locator(".aw-report")
    expect(report).to_have_attribute("data-name", "mask-sign")
    expect(report.get_by_role("heading", level=3)).to_have_text("Your function: mask-sign")
    expect(report.locator(".aw-message")).to_contain_text("-1 * -1e9 is +1e9: write 1 instead")
    expect(report.get_by_role("grid")).to_have_count(3)
    expect(report.locator('[data-invariant="numbers"]')).to_have_attribute("data-holds", "false")
    report.get_by_role("button", name="dismiss").click()
    expect(report).to_be_hidden()
    opened.run_until("print(w.report)", "None")


def test_a_right_function_is_told_so_and_goes_stale(view, opened):
    opened.run_cell(RIGHT + "r = w.check(right)")
    report = view.root.locator(".aw-report")
    expect(report).to_have_attribute("data-ok", "true")
    expect(report.get_by_role("heading", level=3)).to_have_text("Your function: right")
    for invariant in report.locator("[data-invariant]").all():
        expect(invariant).to_have_attribute("data-holds", "true")
    opened.run_cell("w.toggle(5, 0)")
    expect(report).to_contain_text("The widget has changed since this check.")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def bad(Q, K, mask=None): raise KeyError('mine')", "KeyError: 'mine'"),
        ("def bad(Q, K, mask=None): return Q", r"shape \(6, 4\)"),
        (
            "def bad(Q, K, mask=None):\n    Q -= 1\n    return right(Q + 1, K, mask)",
            "Changed arguments: Q",
        ),
    ],
)
def test_what_a_function_does_wrong_is_read_in_the_page(view, opened, source, says):
    before = ask(opened, "w.Q.tolist()")
    opened.run_cell(RIGHT + source + "\nr = w.check(bad)")
    message = view.root.locator(".aw-report .aw-message")
    expect(message).to_contain_text(re.compile(says))
    assert ask(opened, "w.Q.tolist()") == before


BREAKS = {
    "no-scale": set(),
    "wrong-axis": {"row-sums"},
    "mask-sign": {"masked"},
    "mask-after-softmax": {"row-sums"},
    "mask-multiplied": {"masked"},
    "keepdims": {"row-sums"},
}


@pytest.mark.parametrize("mistake", list(BREAKS))
def test_a_mistake_is_switched_on_and_what_breaks_is_marked(view, opened, mistake):
    view.root.get_by_label("mistake", exact=True).select_option(mistake)
    report = view.root.locator(".aw-report")
    expect(report).to_have_attribute("data-name", mistake)
    opened.run_until("print(w.mistake)", mistake)
    broken = report.locator('[data-holds="false"]').evaluate_all(
        "list => list.map(item => item.dataset.invariant)"
    )
    assert set(broken) == BREAKS[mistake]
    # The widget's own attention stays right.
    assert ask(opened, "w.attention.sum(axis=1).round(12).tolist()") == [1.0] * 6
    view.root.get_by_label("mistake", exact=True).select_option("")
    expect(report).to_be_hidden()


def test_the_map_of_a_mistake_has_its_numbers_and_follows_the_widget(view, opened):
    opened.run_cell("w.mistake = 'no-scale'")
    report = view.root.locator(".aw-report")
    expect(report).to_have_attribute("data-name", "no-scale")

    def cell(name, row, col):
        opened.page.mouse.move(*view.at(name, row, col))
        said = report.locator(".aw-report-cell")
        tokens = ["The", "cat", "sat", "on", "the", "mat"]
        expect(said).to_contain_text(f"{name} {tokens[row]} → {tokens[col]}: ")
        return float(said.inner_text().split(": ")[-1].replace("−", "-"))

    def expected(row, keys):
        Q, K = (np.array(ask(opened, f"w.{name}.tolist()")) for name in "QK")
        raw = Q[row] @ K[keys].T
        wrong = np.exp(raw - raw.max()) / np.exp(raw - raw.max()).sum()
        right = np.exp(raw / 2) / np.exp(raw / 2).sum()
        return wrong, right

    wrong, right = expected(3, [0, 1, 2, 3])
    for k in range(4):
        assert cell("got", 3, k) == pytest.approx(wrong[k], abs=6e-3)
        assert cell("right", 3, k) == pytest.approx(right[k], abs=6e-3)
        assert cell("difference", 3, k) == pytest.approx(wrong[k] - right[k], abs=6e-3)
    opened.run_cell("w.toggle(3, 1)")
    wrong, _ = expected(3, [0, 2, 3])
    assert cell("got", 3, 2) == pytest.approx(wrong[1], abs=6e-3)
    opened.run_cell("w.mistake = None")


def test_overflow_is_seen_when_scores_are_large(view, opened):
    opened.run_cell("w.scale = 1000; w.mistake = 'overflow'")
    report = view.root.locator(".aw-report")
    numbers = report.locator('[data-invariant="numbers"]')
    expect(numbers).to_have_attribute("data-holds", "false")
    opened.run_cell("w.scale = None; w.mistake = None")
    expect(report).to_be_hidden()
