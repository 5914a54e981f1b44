"""A lesson by keyboard alone, on a laptop and in a narrow card, light and dark.

Tab leads to each control. The controls are found by their names, as a screen reader says them, and
each focused control has a mark that can be seen.
"""

from __future__ import annotations

import numpy as np
import pytest
from mapview import MapView
from playwright.sync_api import expect
from stepsview import ask

CELL = """from attnwidget import AttentionWidget
w = AttentionWidget("The cat sat on the mat", n_heads=2, d_k=3, init="normal", seed=3)
w"""
# The name of the focused control of the card, and whether its focus can be seen.
FOCUSED = """() => {
  const element = document.activeElement;
  if (!element?.closest('.aw-root')) return null;
  const style = getComputedStyle(element);
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  const name = element.getAttribute('aria-label') || element.textContent.trim();
  return [name, ring || style.boxShadow !== 'none'];
}"""


@pytest.fixture(params=[("light", None), ("dark", 326)], ids=["light-1366", "dark-326"])
def card(request, lab):
    theme, width = request.param
    notebook = lab.notebook([CELL], viewport=(1366, 680), theme=theme)
    if width:
        notebook.set_room(width)
    return MapView(notebook)


class Hands:
    """Hands that have a keyboard and nothing else."""

    def __init__(self, view: MapView) -> None:
        self.page = view.notebook.page
        self.press = self.page.keyboard.press
        # The only help: the focus starts on the first control of the card.
        view.root.locator("button:visible, select:visible").first.focus()

    def go(self, name: str, key: str = "Tab") -> None:
        """Press Tab until the control has the focus; a name with ":" is the begin of a name."""
        passed = []
        for _ in range(60):
            focused = self.page.evaluate(FOCUSED)
            assert focused is not None, f"the focus left the card before {name!r}: {passed}"
            passed.append(focused[0])
            if focused[0] == name or (":" in name and focused[0].startswith(name)):
                assert focused[1], f"the focus of {name!r} cannot be seen"
                return
            self.press(key)
        raise AssertionError(f"no {name!r} among {passed}")


def test_a_lesson_by_keyboard_alone(card):
    notebook, root = card.notebook, card.root
    narrow = root.get_by_role("combobox", name="view").is_visible()
    hands = Hands(card)
    press = hands.press
    # A preset, its parameter, and a cell of the map.
    hands.go("causal")
    press("Enter")
    card.masked(15, 36)
    hands.go("none: no token")
    press("Enter")
    boxes = root.get_by_role("group", name="padded tokens")
    expect(boxes.get_by_role("checkbox").first).to_be_focused()
    press("Tab")
    press("Space")
    notebook.run_until("print(w.presets['padding'])", "[1]")
    press("Escape")
    expect(boxes).to_be_hidden()
    hands.go("undo (Ctrl+Z)")
    press("Enter")
    card.masked(15, 36)
    hands.go("attention: queries")
    press("Control+Home")
    press("Space")
    card.masked(16, 36)
    press("Control+z")
    card.masked(15, 36)
    press("Control+Home")
    # The quantity and the head.
    hands.go("attention")
    press("ArrowRight")
    notebook.run_until("print(w.quantity)", "scores")
    hands.go("head 0")
    press("ArrowRight")
    notebook.run_until("print(w.head)", "1")
    # Another view: a number of Q by its digits.
    hands = Hands(card)
    hands.go("view" if narrow else "Heatmap")
    press("ArrowDown" if narrow else "ArrowRight")
    expect(root).to_have_attribute("data-view", "steps")
    before = np.array(ask(notebook, "w.output.tolist()"))
    hands.go("Q, 6 by 3")
    press("Control+Home")
    press("ArrowDown")  # the first query sees a single key, so that its output stays
    notebook.page.keyboard.type("2.5")
    press("Enter")
    notebook.run_until("print(w.Q[1, 1, 0])", "2.5")
    after = np.array(ask(notebook, "w.output.tolist()"))
    assert not np.allclose(before[1][1], after[1][1])
    press("Control+z")
    notebook.run_until("print(bool(abs(w.Q[1, 1, 0] - 2.5) > 1e-9))", "True")
