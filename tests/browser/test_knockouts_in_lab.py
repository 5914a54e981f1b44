"""Knock-outs by click in JupyterLab: the model runs again and the panel says what changed."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect

from attnwidget.demo import induction_model

TEXT = "fox bee owl moon cat fox bee"
OPEN = f"""
from attnwidget import AttentionWidget
from attnwidget.demo import induction_model
model, tokenizer = induction_model()
w = AttentionWidget.from_model(model, tokenizer, {TEXT!r}, layer=1)
w
"""
KNOCKOUTS = "import json; print(json.dumps([record.as_dict() for record in w.knockouts]))"
# The induction head of layer 1: the last "bee" reads "owl", which came after "bee" before.
EDGE = (6, 2)
CUT = {"stack": "self", "layer": 1, "head": 0, "query": 6, "key": 2, "kind": "remove"}


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([OPEN], viewport=(1300, 1300))


@pytest.fixture
def view(opened):
    """Return the card without knock-outs, with the first choice of a click."""
    opened.run_cell("w.knockouts = []; w.shown_run = 'after'; w.effect_position = None")
    opened.run_cell("w.layer = 1")
    view = MapView(opened)
    expect(view.root).to_have_attribute("data-layer", "1")
    state(view, "idle")
    view.choose("knock out", "this edge", "this head", "remove")
    return view


def state(view, name):
    expect(view.root.locator(".aw-run")).to_have_attribute("data-state", name)
    expect(view.root.locator(".aw-run")).to_have_attribute("data-running", "false")
    view.settled()


def knocked_out(view, records):
    """Wait until Python and the list of the panel have these knock-outs."""
    view.notebook.run_until(KNOCKOUTS, json.dumps(records))
    expect(view.root.locator(".aw-run-out li")).to_have_count(len(records))


@pytest.fixture(scope="module")
def probabilities():
    """Return the probabilities of the token after "bee", with and without the edge, by torch."""
    model, tokenizer = induction_model()
    model.set_attn_implementation("eager")
    inputs = tokenizer(TEXT, return_tensors="pt")
    softmax = torch.nn.functional.softmax
    calls = []

    def without_the_edge(scores, *args, **kwargs):
        if scores.ndim == 4:
            calls.append(scores.shape)
            if len(calls) == 2:  # layer 1
                scores = scores.clone()
                scores[..., 6, 2] = -torch.inf
        return softmax(scores, *args, **kwargs)

    with torch.inference_mode():
        before = model(**inputs).logits[0, 6].softmax(-1)
        torch.nn.functional.softmax = without_the_edge
        try:
            after = model(**inputs).logits[0, 6].softmax(-1)
        finally:
            torch.nn.functional.softmax = softmax
    assert len(calls) == 2
    owl, moon = (tokenizer.convert_tokens_to_ids(word) for word in ("owl", "moon"))
    kl = (before * (before / after).log()).sum()
    return {"owl": (before[owl], after[owl]), "moon": (before[moon], after[moon]), "kl": kl}


def number(text):
    return float(text.replace("−", "-"))


def test_a_click_on_the_edge_of_the_induction_head(view, opened, probabilities):
    arrays = "import numpy as np; a = {n: getattr(w, n).copy() for n in ('attention', 'output')}"
    opened.run_cell(arrays)
    view.click(*EDGE)
    state(view, "done")
    knocked_out(view, [CUT])
    row = view.root.locator(".aw-run-row", has_text=re.compile("^owl"))
    before, after = map(float, probabilities["owl"])
    cells = row.get_by_role("cell").all_text_contents()
    assert number(cells[0]) == pytest.approx(before, abs=6e-4)
    assert before > 0.5
    assert after < 4e-4
    assert cells[1] == "<0.001"
    said = view.root.locator(".aw-run-number").text_content()
    assert said.endswith(" nats")
    assert number(said.split()[0]) == pytest.approx(float(probabilities["kl"]), abs=0.0051)
    expect(view.root.locator(".aw-run-words")).to_have_text(re.compile(r"\d+ ms\. .*layer 1"))
    expect(view.root.locator(".aw-run-reach")).to_contain_text("Rows 0 to 5")
    expect(view.map).to_have_attribute("data-knocked-out", "1")
    expect(view.root.locator(".aw-keys")).to_contain_text("spaceknock out")
    # The line of Python is Python's own.
    view.root.get_by_role("button", name="copy as Python").click()
    code = view.root.locator(".aw-run [data-numpy]").get_attribute("data-numpy")
    assert code == opened.run_cell("print(w.knockouts_code())")
    # Undo returns exactly the arrays of the beginning.
    view.root.get_by_label("undo (Ctrl+Z)").click()
    state(view, "idle")
    knocked_out(view, [])
    same = "print(all(np.array_equal(a[n], getattr(w, n)) for n in a))"
    opened.run_until(same, "True")
    view.root.get_by_label("redo (Ctrl+Shift+Z)").click()
    state(view, "done")
    knocked_out(view, [CUT])
    view.root.get_by_label("clear the mask").click()
    state(view, "idle")
    knocked_out(view, [])


def test_the_last_of_two_quick_clicks_counts(view):
    x, y = view.at(*EDGE)
    view.over.dblclick(position={"x": x, "y": y})
    state(view, "idle")
    knocked_out(view, [])
    view.over.click(position={"x": x, "y": y}, click_count=3)
    state(view, "done")
    knocked_out(view, [CUT])


def test_scope_and_kind_are_the_choice(view):
    view.choose("this key", "this layer", "mean")
    view.hover(3, 1)
    expect(view.root.locator(".aw-effect")).to_contain_text(
        "sets the weight of every edge to this key to the head's mean in every head of layer 1"
    )
    view.click(3, 1)
    state(view, "done")
    column = CUT | {"head": None, "query": None, "key": 1, "kind": "mean"}
    knocked_out(view, [column])
    expect(view.map).to_have_attribute("data-knocked-out", "1")
    view.choose("this query", "all layers", "zero")
    view.click(4, 0)
    state(view, "done")
    row = CUT | {"layer": None, "head": None, "query": 4, "key": None, "kind": "zero"}
    knocked_out(view, [column, row])
    # A button of the list takes one back, and the list of runs brings the first run again.
    view.root.get_by_role("button", name="take back: mean key").click()
    state(view, "done")
    knocked_out(view, [row])
    runs = view.root.locator(".aw-run-restore", has_text=re.compile("^mean key 1"))
    runs.filter(has_not_text="more").click()
    state(view, "done")
    knocked_out(view, [column])


def test_the_keyboard_does_what_a_click_does(view):
    view.map.focus()
    view.root.page.keyboard.press("Control+Home")
    for _ in range(EDGE[0]):
        view.root.page.keyboard.press("ArrowDown")
    for _ in range(EDGE[1]):
        view.root.page.keyboard.press("ArrowRight")
    expect(view.map).to_have_attribute("data-active", "6,2")
    view.root.page.keyboard.press("Space")
    state(view, "done")
    knocked_out(view, [CUT])
    expect(view.readout).to_contain_text("knocked out")
    view.root.page.keyboard.press("Space")
    state(view, "idle")
    knocked_out(view, [])


def test_the_maps_before_and_after_and_their_difference(view, opened):
    before = np.array(json.loads(opened.run_cell("print(json.dumps(w.attention.tolist()))")))
    view.click(*EDGE)
    state(view, "done")
    opened.run_until("print(w.attention[6, 2])", "0.0")
    after = np.array(json.loads(opened.run_cell("print(json.dumps(w.attention.tolist()))")))
    # The bar begins at the row of the edge, because no earlier row of a causal model can change.
    expect(view.map).to_have_attribute("data-reach", str(EDGE[0]))
    maps = view.root.get_by_role("radiogroup", name="maps of the run")
    maps.get_by_role("radio", name="before", exact=True).click()
    opened.run_until("print(w.shown_run)", "before")
    expect(view.map).to_have_attribute("data-reach", "")
    assert view.value(*EDGE) == pytest.approx(before[EDGE], abs=6e-5)
    maps.get_by_role("radio", name="after", exact=True).click()
    opened.run_until("print(w.shown_run)", "after")
    assert view.value(6, 3) == pytest.approx(after[6, 3], abs=6e-5)
    maps.get_by_role("radio", name="Δ", exact=True).click()
    expect(view.root.locator(".aw-about")).to_contain_text("after minus before the knock-outs")
    # Blue where the weight fell.
    red, _, blue, _ = view.pixel(*EDGE)
    assert blue - red > 40
    maps.get_by_role("radio", name="after", exact=True).click()


def test_a_token_of_the_strip_is_where_the_effect_is_read(view, opened):
    view.click(*EDGE)
    state(view, "done")
    strip = view.root.locator(".aw-run-strip")
    expect(strip.get_by_role("radio").nth(6)).to_have_attribute("aria-checked", "true")
    strip.get_by_role("radio").nth(4).click()
    opened.run_until("print(w.effect_position)", "4")
    # An edge of a later query changes nothing at an earlier token.
    expect(view.root.locator(".aw-run-number")).to_have_text("0 nats")


def test_a_what_if_does_not_run_the_model(view, opened):
    view.what_if()
    expect(view.root.locator(".aw-keys")).to_contain_text("spacemask")
    view.click(*EDGE)
    view.masked(22, 49)
    knocked_out(view, [])
    assert opened.run_cell("print(w.effect)") == "None"
    view.click(*EDGE)
    view.masked(21, 49)


def test_two_runs_are_compared(view, opened):
    opened.run_cell("import json; kept = []")
    for edit in (CUT, {"layer": 0, "query": 6, "kind": "first"}):
        opened.run_cell(f"w.knockouts = [{edit!r}]")
        state(view, "done")
        opened.run_until("print(w.run_state.state)", "done")
        opened.run_cell("kept.append([run.knockouts for run in w.runs].index(w.knockouts))")
    names, *wanted = json.loads(
        opened.run_cell(
            "e = w.compare_runs(*kept, position=6)\n"
            "names = [w.runs[at].name for at in kept]\n"
            "print(json.dumps([names, e.labels, e.probabilities.tolist()]))"
        )
    )
    panel = view.root.locator(".aw-run")
    compared = panel.locator(".aw-run-compared")
    expect(compared).to_be_hidden()
    first, second = (
        panel.get_by_role("button", name=f"compare: {name}", exact=True) for name in names
    )
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(compared).to_contain_text("with another run: choose it")
    # The same button again takes the choice back.
    first.click()
    expect(compared).to_be_hidden()
    first.click()
    second.click()
    expect(compared).to_contain_text(f"Before: “{names[0]}”. After: “{names[1]}”.")
    rows = compared.locator(".aw-run-row").filter(has=view.notebook.page.get_by_role("rowheader"))
    expect(rows).to_have_count(10)
    for i, label in enumerate(wanted[0]):
        expect(rows.nth(i).get_by_role("rowheader")).to_have_text(label)
        for run, shares in enumerate(wanted[1]):
            words = f"{shares[i]:.3f}" if shares[i] >= 5e-4 else "<0.001"
            expect(rows.nth(i).get_by_role("cell").nth(run)).to_have_text(words)


def test_another_text_and_a_scan(view, opened):
    """The box runs the model on another text; a scan finds the induction edge."""
    box = view.root.get_by_role("textbox", name="text", exact=True)
    expect(box).to_have_value(TEXT)
    box.fill("ant ape fox")
    box.press("Enter")
    opened.run_until("print(w.tokens == w.tokens[:3], w.input_text)", "True ant ape fox")
    expect(view.map).to_have_attribute("data-rows", "3")
    view.root.get_by_label("undo (Ctrl+Z)").click()
    expect(box).to_have_value(TEXT)
    expect(view.map).to_have_attribute("data-rows", "7")
    view.root.locator(".aw-scan > summary").click()
    view.root.get_by_role("textbox", name="target").fill("owl")
    view.root.get_by_label("over", exact=True).select_option("edges")
    view.root.get_by_role("button", name="scan", exact=True).click()
    strongest = view.root.locator(".aw-scan-list button").first
    expect(strongest).to_contain_text("query 6 “bee”, key 2 “owl”")
    strongest.click()
    state(view, "done")
    knocked_out(view, [CUT])
