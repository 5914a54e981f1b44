"""Controls stay where they are: in every view and state, controls and map keep their place."""

from __future__ import annotations

import pytest
from mapview import MapView
from playwright.sync_api import expect
from test_model_view import LOAD

WIDTHS = (326, 566, 800, 1152)
PRESETS = ("causal", "window", "prefix", "block")
SENTENCE = "s = AttentionWidget('The cat sat on the mat', n_heads=2, d_k=3)\ns"

# Every control that is on the card, by its path in the document, with its corner from the card's.
# The path begins with the part of the card; the controls of a body, and of the panel under it,
# belong to its view and axes.
CONTROLS = """(root, axes) => {
  const corner = element => {
    const [box, card] = [element.getBoundingClientRect(), root.getBoundingClientRect()];
    return [box.left - card.left, box.top - card.top];
  };
  const path = element => {
    const steps = [];
    for (let at = element; at !== root; at = at.parentElement) {
      const place = [...at.parentElement.children].indexOf(at);
      steps.unshift(`${at.tagName.toLowerCase()}.${at.classList[0] ?? ''}[${place}]`);
    }
    return steps.join('>');
  };
  const found = {};
  for (const element of root.querySelectorAll('button, select, input, [role=tab]')) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    const body = element.closest('.aw-body, .aw-run');
    const part = body ? `${root.dataset.view} ${axes} ` : '';
    const name = element.getAttribute('aria-label') ?? element.textContent;
    found[`${part}${path(element)}`] = [...corner(element), name];
  }
  const map = root.querySelector('.aw-map');
  if (map) found.map = [...corner(map), 'the map'];
  return found;
}"""
# The rows of controls in the header: groups whose boxes overlap from top to bottom.
ROWS = """root => {
  const controls = [...root.querySelectorAll('.aw-head :is(button, select, input)')];
  const boxes = controls.filter(control => control.checkVisibility())
    .map(control => control.getBoundingClientRect()).sort((a, b) => a.top - b.top);
  let [rows, bottom] = [0, -Infinity];
  for (const box of boxes) {
    if (box.top >= bottom - 2) rows += 1;
    bottom = Math.max(bottom, box.bottom);
  }
  return rows;
}"""
# Hold back every message of the page to its kernel, and let them go.
HOLD = """() => {
  const { send } = WebSocket.prototype;
  globalThis.held = [];
  WebSocket.prototype.send = function (data) { held.push(() => send.call(this, data)); };
  globalThis.letGo = () => {
    WebSocket.prototype.send = send;
    for (const message of held) message();
  };
}"""
FRAMES = """() => new Promise(done =>
  requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"""


class Places:
    """The places of all controls of a card, by state."""

    def __init__(self, view: MapView) -> None:
        self.view = view
        self.page = view.notebook.page
        self.places: dict[str, dict[str, tuple[float, float, str]]] = {}

    def note(self, state: str, axes: str = "tokens", *, settled: bool = True) -> None:
        """Note where the controls are in a state."""
        if settled:
            self.view.settled()
            expect(self.view.root).to_have_attribute("data-computing", "false")
        self.page.evaluate(FRAMES)
        self.places[state] = self.view.root.evaluate(CONTROLS, axes)

    def moved(self) -> list[str]:
        """Return each control that is in two states at two places."""
        controls = {control for places in self.places.values() for control in places}
        moves = []
        for control in sorted(controls):
            at = {
                state: places[control] for state, places in self.places.items() if control in places
            }
            for axis in (0, 1):
                low = min(at, key=lambda state: at[state][axis])
                high = max(at, key=lambda state: at[state][axis])
                if at[high][axis] - at[low][axis] > 1:
                    moves.append(
                        f"{at[low][2]!r} ({control}): {'xy'[axis]} {at[low][axis]:.1f} in {low!r}, "
                        f"{at[high][axis]:.1f} in {high!r}"
                    )
        return moves


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([LOAD + SENTENCE, "m"], viewport=(1500, 1000))


def card(opened, i, width):
    """Give the cards this room; a card takes at most 1120 px of it, and more in Steps."""
    opened.set_room(width)
    opened.run_cell("s.view = m.view = 'heatmap'; s.mask = m.mask = None; s.error = ''")
    view = MapView(opened, i)
    expect(view.root).to_have_attribute("data-view", "heatmap")
    expect(view.root).to_have_css("width", f"{min(width, 1120)}px")
    return view


def show(opened, view, source, name):
    opened.run_cell(f"{source}.view = {name!r}")
    expect(view.root).to_have_attribute("data-view", name)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_control_of_a_sentence_keeps_its_place(opened, width):
    view = card(opened, 0, width)
    places = Places(view)
    places.note("heatmap")
    for name in PRESETS:
        switch = view.root.get_by_role("button", name=name, exact=True)
        for state in ("on", "off"):
            switch.click()
            expect(switch).to_have_attribute("aria-pressed", str(state == "on").lower())
            places.note(f"{name} {state}")
    # No token is a pad token: the switch opens its menu.
    view.root.get_by_role("button", name="padding", exact=True).click()
    expect(view.root.get_by_role("group", name="padded tokens")).to_be_visible()
    places.note("the menu of padding")
    view.root.get_by_role("button", name="padding", exact=True).click()
    expect(view.root.get_by_role("group", name="padded tokens")).to_be_hidden()
    expect(view.root.get_by_role("button", name="padding", exact=True)).to_have_attribute(
        "aria-pressed", "false"
    )
    opened.run_cell("s.mistake = 'mask-after-softmax'; s.presets = 'causal'")
    expect(view.root.locator(".aw-breaks")).to_contain_text("✗")
    places.note("a mistake")
    opened.run_cell("s.mistake = None; s.presets = None")
    expect(view.root.locator(".aw-breaks")).to_have_text("")
    for quantity in ("scores", "value-norm", "output-shift", "attention"):
        opened.run_cell(f"s.quantity = {quantity!r}")
        expect(view.root.locator(f'[data-value="{quantity}"]')).to_have_attribute(
            "aria-checked", "true"
        )
        places.note(f"quantity {quantity}")
    delta = view.root.locator('[data-tool="difference"]')
    delta.click()
    expect(delta).to_have_attribute("aria-pressed", "true")
    places.note("the difference")
    delta.click()
    for name in ("steps", "lines", "neuron", "grid", "heatmap"):
        show(opened, view, "s", name)
        places.note(name)
        opened.run_cell("s.presets = {'causal': True, 'window': 3, 'padding': [0, 1]}")
        expect(view.root.locator(".aw-masked-count")).to_have_text("masked 26 of 36")
        places.note(f"{name}, presets on")
        opened.run_cell("s.undo()")
        places.note(f"{name}, presets off")
    opened.run_cell("s.error = 'something is wrong with a value that was set, and it takes a line'")
    expect(view.root.get_by_role("alert")).to_be_visible()
    places.note("an error")
    opened.run_cell("s.error = ''")
    assert places.moved() == []
    assert view.root.evaluate(ROWS) <= (3 if width < 500 else 2)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_control_of_an_experiment_keeps_its_place(opened, width):
    """A refused value and a mistake say so without moving the fields of the open fold."""
    view = card(opened, 0, width)
    fold = view.root.locator(".aw-experiments")
    fold.locator("summary").click()
    places = Places(view)
    places.note("experiment")
    heads = view.root.get_by_role("spinbutton", name="heads")
    heads.fill("0")
    heads.press("Enter")
    expect(heads).to_have_attribute("aria-invalid", "true")
    places.note("a refused value")
    heads.press("Escape")
    opened.run_cell("s.mistake = 'mask-after-softmax'; s.presets = 'causal'")
    expect(view.root.locator(".aw-breaks")).to_contain_text("✗")
    places.note("a mistake")
    opened.run_cell("s.mistake = None; s.presets = None")
    expect(view.root.locator(".aw-breaks")).to_have_text("")
    view.root.get_by_label("seed", exact=True).fill("5")
    view.root.get_by_label("seed", exact=True).press("Enter")
    opened.run_until("print(s.seed)", "5")
    places.note("another seed")
    opened.run_cell("s.seed = 0")
    fold.locator("summary").click()
    assert places.moved() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_control_of_a_model_keeps_its_place(opened, width):
    view = card(opened, 1, width)
    places = Places(view)
    for name in ("heatmap", "steps", "lines", "neuron", "grid", "bertviz-head", "heatmap"):
        show(opened, view, "m", name)
        places.note(name)
    for layer in (1, 5, 0):
        opened.run_cell(f"m.layer = {layer}")
        expect(view.root).to_have_attribute("data-layer", str(layer))
        places.note(f"layer {layer}")
    view.choose("knock out")
    for name in ("knocked out", "put back"):
        view.click(1, 2)
        state = "done" if name == "knocked out" else "idle"
        expect(view.root.locator(".aw-run")).to_have_attribute("data-state", state)
        places.note(f"a cell that is {name}")
    view.what_if()
    view.click(1, 2)
    places.note("a masked cell")
    view.click(1, 2)
    opened.run_cell("m.merge = 'words'")
    expect(view.map).to_have_attribute("aria-rowcount", "8")
    places.note("words", "words")
    opened.run_cell("m.hide_special = True")
    expect(view.map).to_have_attribute("aria-rowcount", "6")
    places.note("words, special tokens hidden", "words, hidden")
    opened.run_cell("m.merge = 'tokens'; m.hide_special = False")
    expect(view.map).to_have_attribute("aria-rowcount", "8")
    opened.page.evaluate(HOLD)
    try:
        if width >= 520:
            view.root.get_by_label("next layer").click()
        else:
            view.root.get_by_label("layer", exact=True).select_option("1")
        expect(view.root).to_have_attribute("data-computing", "true")
        # The header names the layer that is drawn.
        expect(view.root.get_by_label("layer", exact=True)).to_have_value("0")
        places.note("computing", settled=False)
        expect(view.root.locator(".aw-busy")).to_have_text("Python has not answered yet")
        places.note("no answer", settled=False)
    finally:
        opened.page.evaluate("letGo()")
    expect(view.root).to_have_attribute("data-layer", "1")
    places.note("answered")
    opened.run_cell("m.layer = 0")
    expect(view.root).to_have_attribute("data-layer", "0")
    assert places.moved() == []
    assert view.root.evaluate(ROWS) <= (3 if width < 500 else 2 if width > 1000 else 4)
