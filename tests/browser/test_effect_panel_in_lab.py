"""The panel "Effect" in JupyterLab: of a classifier, of a slow run, and of a column."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect

from attnwidget.demo import induction_model

TEXT = "fox bee owl moon cat fox bee"
# In the kernel, the second layer waits while the gate is closed.
SLOW = f"""
import threading
from attnwidget import AttentionWidget
from attnwidget.demo import induction_model
model, tokenizer = induction_model()
w = AttentionWidget.from_model(model, tokenizer, {TEXT!r}, layer=1)
gate = threading.Event()
gate.set()
def hold(*_):
    if not gate.wait(120):
        raise RuntimeError("the gate was left closed")
hook = model.transformer.h[1].register_forward_pre_hook(hold)
w
"""
REVIEW = "the film was not bad at all"
# Two of the three classes have small probabilities.
CLASSIFIER = """
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
words = ["[PAD]", "[UNK]", "the", "film", "was", "not", "bad", "at", "all"]
backend = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
backend.pre_tokenizer = Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]"
)
torch.manual_seed(0)
classifier = BertForSequenceClassification(BertConfig(
    vocab_size=len(words), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
    intermediate_size=16, initializer_range=0.7,
    id2label={0: "negative", 1: "neither good nor bad, or both", 2: "positive"},
)).eval()
with torch.no_grad():
    classifier.classifier.bias += torch.tensor([1.0, 0.0, -4.0])
"""
OPEN_CLASSIFIER = f"""{CLASSIFIER}
from attnwidget import AttentionWidget
w = AttentionWidget.from_model(classifier, tokenizer, {REVIEW!r}, layer=1, head=2)
w
"""
KNOCKOUTS = "import json; print(json.dumps([record.as_dict() for record in w.knockouts]))"
EDGE, OTHER = (6, 2), (6, 5)
CUT = {"stack": "self", "layer": 1, "head": 0, "query": 6, "key": 2, "kind": "remove"}


@pytest.fixture(scope="module")
def slow(module_lab):
    return module_lab.notebook([SLOW], viewport=(1300, 1300))


@pytest.fixture
def view(slow):
    """Return the card without knock-outs; the model is as fast as ever after the test."""
    slow.run_cell("gate.set(); w.knockouts = []; w.effect_position = None")
    view = MapView(slow)
    panel(view, "idle")
    yield view
    slow.run_cell("gate.set()")


def panel(view, state, *, running=False):
    """Wait until the panel says that the run is so."""
    run = view.root.locator(".aw-run")
    expect(run).to_have_attribute("data-state", state)
    expect(run).to_have_attribute("data-running", json.dumps(running))


def logits(model: Any, inputs: Any, layer: int, edges: list[tuple[int, int, int]]) -> torch.Tensor:
    """Return the logits of eager attention, with edges (head, query, key) taken out by hand."""
    softmax, calls = torch.nn.functional.softmax, []

    def edited(scores, *args, **kwargs):
        if scores.ndim == 4:
            calls.append(scores.shape)
            if len(calls) == layer + 1:
                scores = scores.clone()
                for head, query, key in edges:
                    scores[:, head, query, key] = -torch.inf
        return softmax(scores, *args, **kwargs)

    torch.nn.functional.softmax = edited
    try:
        with torch.inference_mode():
            result = model(**inputs).logits[0]
    finally:
        torch.nn.functional.softmax = softmax
    assert len(calls) == 2  # layers
    return result


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def kl(before: torch.Tensor, after: torch.Tensor) -> float:
    p, q = (each.double().log_softmax(-1) for each in (before, after))
    return float((p.exp() * (p - q)).sum())


def test_the_classes_are_those_of_eager_attention(module_lab):
    notebook = module_lab.notebook([OPEN_CLASSIFIER], viewport=(1300, 1300))
    view = MapView(notebook)
    names: dict[str, Any] = {}
    exec(CLASSIFIER, names)
    model, inputs = names["classifier"], names["tokenizer"](REVIEW, return_tensors="pt")
    model.set_attn_implementation("eager")
    view.click(0, 6)
    panel(view, "done")
    # The first token alone is read by the classifier.
    before, after = (logits(model, inputs, 1, edges) for edges in ([], [(2, 0, 6)]))
    p, q = (each.softmax(-1).numpy() for each in (before, after))
    assert abs(p - q).max() > 0.02
    cell = notebook.page.get_by_role("cell")
    rows = view.root.locator(".aw-run-rows [role=row]").filter(has=cell)
    expect(rows).to_have_count(3)
    labels = list(model.config.id2label.values())
    for i in range(3):
        at = labels.index(rows.nth(i).get_by_role("rowheader").text_content())
        cells = rows.nth(i).get_by_role("cell").all_text_contents()
        shares = [p[at], q[at]]
        wanted = [f"{share:.3f}" if share >= 5e-4 else "<0.001" for share in shares]
        assert cells[:2] == wanted
        assert number(cells[2]) == pytest.approx(q[at] - p[at], abs=6e-4)
        assert number(cells[3]) == pytest.approx(float(after[at] - before[at]), abs=6e-4)
    assert "<0.001" in rows.all_text_contents()[2]
    shown = view.root.locator(".aw-run-number").text_content()
    assert shown.endswith(" nats")
    assert number(shown.split()[0]) == pytest.approx(kl(before, after), rel=0.02)
    # The answer is of the whole text, and so no token is a choice.
    expect(view.root.locator(".aw-run-strip")).to_be_hidden()


def test_a_slow_run_is_stopped_and_done_again(view, slow):
    slow.run_cell("gate.clear()")
    view.click(*EDGE)
    panel(view, "running", running=True)
    expect(view.root.locator(".aw-run-words")).to_have_text("The model runs…")
    again = view.root.get_by_role("button", name="run again")
    expect(again).to_be_hidden()
    view.root.get_by_label("stop the run").click()
    panel(view, "stopped")
    expect(view.root.locator(".aw-run-words")).to_have_text("The run was stopped.")
    # The gate is still closed: the kernel answers beside the run.
    assert (
        slow.run_cell("print(w.run_state.state, gate.is_set(), w.effect)") == "stopped False None"
    )
    view.what_if()
    view.click(3, 1)
    view.masked(22, 49)
    view.click(3, 1)
    view.masked(21, 49)
    view.choose("knock out")
    slow.run_cell("gate.set()")
    again.click()
    panel(view, "done")
    slow.run_until(KNOCKOUTS, json.dumps([CUT]))
    expect(again).to_be_hidden()
    assert slow.run_cell("print(w.attention[6, 2], w.run_state.state)") == "0.0 done"


def test_clicks_during_a_slow_run_end_in_the_last_state(view, slow):
    model, tokenizer = induction_model()
    model.set_attn_implementation("eager")
    inputs = tokenizer(TEXT, return_tensors="pt")
    slow.run_cell("n_runs = len(w.runs); gate.clear()")
    view.click(*OTHER)
    panel(view, "running", running=True)
    view.click(*EDGE)
    records = [CUT | {"key": key} for _, key in (OTHER, EDGE)]
    slow.run_until(KNOCKOUTS, json.dumps(records))
    panel(view, "running", running=True)
    slow.run_cell("gate.set()")
    panel(view, "done")
    edges = [(0, *OTHER), (0, *EDGE)]
    before, after = (logits(model, inputs, 1, each)[6] for each in ([], edges))
    shown = view.root.locator(".aw-run-number").text_content()
    assert number(shown.split()[0]) == pytest.approx(kl(before, after), abs=0.0051)
    first_alone = kl(before, logits(model, inputs, 1, edges[:1])[6])
    assert abs(first_alone - kl(before, after)) > 0.02
    # The run of the first click alone was stopped.
    kept = "print(len(w.runs) - n_runs, len(w.runs[-1].knockouts))"
    assert slow.run_cell(kept) == "1 2"


def test_a_label_takes_its_column_out(view, slow):
    """A cell and a label show what a click would do; the effect follows the query of a cell."""
    column = CUT | {"query": None}
    view.hover(5, 1)
    expect(view.map).to_have_attribute("data-preview", "out")
    view.hover(1, 5)  # the model itself masks the edge
    expect(view.map).to_have_attribute("data-hover", "1,5")
    x, top = view.at(0, 2)[0], float(view.map.get_attribute("data-top"))
    view.over.click(position={"x": x, "y": top - 12})
    panel(view, "done")
    slow.run_until(KNOCKOUTS, json.dumps([column]))
    weights = np.array(json.loads(slow.run_cell("print(w.attention.tolist())")))
    assert not weights[:, 2].any()
    np.testing.assert_allclose(np.delete(weights, 2, 1).sum(1), 1, atol=1e-5)
    expect(view.map).to_have_attribute("data-preview", "back")
    expect(view.map).to_have_attribute("data-knocked-out", "1")
    # A column has no query of its own: the effect stays at the end of the text.
    token = view.root.locator(".aw-run-strip [aria-checked=true]")
    expect(token).to_have_attribute("data-position", "6")
    view.over.click(position={"x": x, "y": top - 12})
    panel(view, "idle")
    slow.run_until(KNOCKOUTS, "[]")
    expect(view.map).to_have_attribute("data-preview", "out")
    view.click(4, 1)
    panel(view, "done")
    expect(token).to_have_attribute("data-position", "4")
    slow.run_until("print(w.effect_position, w.effect.position)", "4 4")
    view.click(4, 1)
    panel(view, "idle")
    slow.run_until("print(w.effect_position)", "4")
