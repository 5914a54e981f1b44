"""Numbers of the steps that a hand drags and types, what is refused, and cells that are masked."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect
from stepsview import MAKE, WIDGET, StepsView, ask, flow, read, reset


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([WIDGET, "w"])


@pytest.fixture
def view(opened):
    return reset(opened)


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
