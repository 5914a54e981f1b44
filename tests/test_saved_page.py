"""A page without Python answers its commands as Python does: both are sent the same messages.

The page is the real page (`js/saved`, `js/state`) in a process of Node, opened on the file that the
widget wrote. Python is the widget itself. After each gesture both have the same state.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from architectures import ARCHITECTURES
from models import DECODERS, ENCODERS, tokenizer
from test_page_property import Node
from word_tokenizers import bert as bert_of_words
from word_tokenizers import word_piece

from attnwidget import AttentionWidget, causal_mask
from attnwidget.export.saved_state import saved_state
from attnwidget.lessons.mistakes import MISTAKES
from attnwidget.wire.pack import pack
from attnwidget.wire.schema import SCHEMA

ROOT = Path(__file__).parents[1]
ARRAYS = (
    "embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V", "bias", "scores", "mask",
    "locked", "attention", "output", "row_mass",
)  # fmt: skip
PLAIN = (
    "tokens", "key_tokens", "scale", "temperature", "presets", "history", "revision", "stack",
    "layer", "head", "shown", "mistake", "view", "quantity", "selection",
)  # fmt: skip


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    bundle = tmp_path_factory.mktemp("saved") / "pages.cjs"
    build = [str(ROOT / "node_modules/.bin/esbuild"), "tests/js/saved-pages.ts", "--bundle"]
    build += ["--format=cjs", "--log-level=error", f"--outfile={bundle}"]
    subprocess.run(build, cwd=ROOT, check=True)
    node = Node(bundle)
    yield node
    node.process.stdin.close()
    node.process.wait(timeout=10)


class Both:
    """A widget, and the page that was saved of it."""

    def __init__(self, node, widget, atol=2e-6, budget=10**8):
        self.node, self.widget, self.atol = node, widget, atol
        # The steps before the page was saved are Python's.
        self.steps = widget.history[0]
        state = json.loads(saved_state(widget.store.now, budget).text())
        self.page = node.say(page="page", state=state)
        self.compare()

    def do(self, name, *arguments):
        self.page = self.node.say(page="page", name=name, **{"with": arguments})
        self.widget.set_state(self.page["sent"])
        assert self.page["pending"] == 0
        self.compare()

    def array(self, name):
        packed = SCHEMA[name].packed(self.widget.store.now)
        text = self.page["arrays"][name]
        assert (packed is None) == (text is None), name
        if packed is None:
            return None
        dtype = np.dtype(packed["dtype"])
        found, wanted = (
            np.frombuffer(data, dtype).reshape(packed["shape"])
            for data in (base64.b64decode(text), packed["data"])
        )
        return found, wanted

    def compare(self):
        for name in ARRAYS:
            pair = self.array(name)
            if pair is not None:
                found, wanted = (np.where(np.isneginf(each), -1e9, each) for each in pair)
                # A score is exact to its own size.
                np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=self.atol, err_msg=name)
        wanted = json.loads(json.dumps({n: _plain(self.widget, n) for n in PLAIN}))
        wanted["history"][0] -= self.steps
        found = {name: self.page["plain"][name] for name in PLAIN}
        for name in ("scale", "temperature"):
            assert found.pop(name) == pytest.approx(wanted.pop(name), rel=1e-6)
        assert found == wanted
        shown = np.frombuffer(base64.b64decode(self.page["shown"]), "float32")
        maps = self.widget.store.now.maps.attention
        maps = maps[self.widget.head] if maps.ndim > 2 else maps
        if self.widget.mistake is None:
            np.testing.assert_allclose(shown, maps.ravel(), atol=self.atol, rtol=2e-6)


def _plain(widget, name):
    return SCHEMA[name].packed(widget.store.now)


SENTENCES = {
    "sentence": lambda: AttentionWidget("The cat sat on the mat .", d_k=3, d_v=2),
    "heads": lambda: AttentionWidget("The cat sat on the mat", d_model=6, n_heads=3, head=1),
    "cross": lambda: AttentionWidget("a b c", key_tokens="v w x y z", d_k=3, d_v=2),
    "rotary": lambda: AttentionWidget("a b c a", positional="rotary", presets="causal"),
    "sinusoidal": lambda: AttentionWidget("a b c a", positional="sinusoidal", temperature=0.5),
    "alibi": lambda: AttentionWidget("a b c a", positional="alibi", d_model=6, n_heads=2),
    "given": lambda: AttentionWidget("a b", Q=[[1], [2]], K=[[0], [1]], V=[[3, 4], [0, 5]]),
}


def sentence(name):
    return SENTENCES[name]()


@pytest.mark.parametrize("name", SENTENCES)
def test_masks_numbers_and_undo(node, name):
    both = Both(node, sentence(name))
    n_q, n_k = both.widget.mask.shape
    both.do("paint", [1, n_k + 1], True)
    both.do("paint", [1], False)
    both.do("paint", list(range(n_k)), True)
    both.do("setPresets", {"causal": True})
    both.do("setPresets", {"causal": True, "window": 1})
    both.do("drag", "Q", [n_q - 1, 0], -2.5)
    both.do("drag", "V", [0, 1], 7)
    for _ in range(4):
        both.do("undo")
    both.do("redo")
    both.do("ask", "temperature", 0.25)
    both.do("ask", "scale", 1)
    both.do("ask", "scale", None)
    both.do("ask", "temperature", 0)
    both.do("clear")
    for _ in range(9):
        both.do("undo")
    assert both.widget.history[0] == 0


@pytest.mark.parametrize("name", ["sentence", "heads", "cross", "rotary", "sinusoidal"])
def test_a_number_of_the_inputs_flows_through(node, name):
    both = Both(node, sentence(name))
    both.do("drag", "embeddings", [1, 2], 1.75)
    both.do("drag", "W_k", [0, 1], -1)
    both.do("drag", "W_k", [0, 1], -3)
    assert both.page["plain"]["overridden"]["W_k"]
    both.do("reset")
    assert both.page["plain"]["overridden"] == {}
    both.do("undo")
    assert both.page["plain"]["overridden"]["W_k"]


def test_numbers_set_before_the_page_was_saved_are_taken_back(node):
    w = sentence("sentence")
    W_q = np.array(w.W_q)
    w.W_q = W_q + np.eye(4, 3)
    both = Both(node, w)
    marks = dict(w.overridden)
    assert both.page["plain"]["overridden"] == marks
    both.do("drag", "W_v", [0, 1], 9)
    both.do("reset")
    assert both.page["plain"]["overridden"] == dict(w.overridden)
    np.testing.assert_allclose(both.array("W_q")[0], W_q, atol=1e-6)
    both.do("undo")
    both.do("reset")


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", ["sentence", "heads", "cross", "alibi"])
def test_the_report_of_a_mistake_is_pythons(node, name, mistake):
    both = Both(node, sentence(name))
    n_k = both.widget.mask.shape[1]
    both.do("ask", "mistake", mistake)
    for act in ([], ["paint", [1, n_k + 2], True], ["paint", list(range(n_k)), True]):
        if act:
            both.do(*act)
        found, report = both.page["report"], both.widget.report
        words = {n: getattr(report, n) for n in ("name", "message", "step", "wrong", "right")}
        assert {n: found[n] for n in words} == words
        for each in ("got", "expected", "scores", "weights"):
            array = getattr(report, each)
            assert (found[each] is None) == (array is None)
            if array is not None:
                numbers = np.frombuffer(base64.b64decode(found[each]), "float32")
                wanted = np.frombuffer(pack(array)["data"], "float32")
                np.testing.assert_allclose(numbers, wanted, rtol=1e-5, atol=2e-6)
    both.do("ask", "mistake", None)
    assert both.page["report"] is None


def test_the_report_on_a_function_is_saved_with_its_maps(node):
    w = AttentionWidget("The cat sat on the mat", d_k=3)
    w.check(lambda Q, K: np.full((len(Q), len(K)), 1 / len(K)))
    both = Both(node, w)
    found = both.page["report"]
    assert (found["kind"], found["name"]) == ("check", w.report.name)
    for each, array in {"got": np.full((6, 6), 1 / 6), "expected": w.attention}.items():
        numbers = np.frombuffer(base64.b64decode(found[each]), "float32")
        np.testing.assert_allclose(numbers, array.ravel(), atol=2e-6)
    both.do("paint", [6], True)  # the report stays
    assert both.page["report"]["message"] == w.report.message


def test_a_head_of_a_sentence_is_a_switch(node):
    both = Both(node, sentence("heads"))
    both.do("set", "head", 2)
    both.do("drag", "Q", [1, 1], 4)
    both.do("set", "head", 0)
    both.do("undo")


def test_what_needs_python_is_refused_in_words_and_changes_nothing(node):
    both = Both(node, sentence("sentence"))
    for name, value in [("seed", 4), ("d_k", 5), ("tokens", "p q"), ("positional", "rotary")]:
        page = node.say(page="page", name="ask", **{"with": [name, value]})
        assert page["pending"] == 0
        assert page["plain"] == both.page["plain"]
        both.page = page
        both.compare()


@pytest.fixture(scope="module")
def model():
    return ENCODERS["bert"](), tokenizer()


@pytest.fixture
def bert(model):
    return AttentionWidget.from_model(*model, "the cat sat on the mat and slept", layer=1, head=2)


def test_every_head_of_a_model_is_there_within_the_stated_error(node, bert):
    state = saved_state(bert.store.now, 10**8)
    assert 0 < state.error < 1e-3
    both = Both(node, bert, atol=2e-3)
    both.atol = 2e-3
    for layer in range(3):
        for head in range(4):
            both.do("set", "layer", layer)
            both.do("set", "head", head)
            found, _ = both.array("attention")
            right = bert.weights(layer, head)
            assert np.abs(found - right).max() <= state.error + 1e-7
    stated = float(re.search(r"by at most ([\d.]+)\.", both.page["plain"]["notice"])[1])
    assert state.error <= stated <= 3 * state.error


def test_a_masked_key_with_nearly_all_weight_leaves_the_others_right(node):
    row = [1 - 3e-6, 1e-6, 2e-6]
    given = np.array([[row, row[::-1]]] * 2)  # two layers, so that the page rounds
    both = Both(node, AttentionWidget.from_arrays(given, ["a", "b"], list("xyz")))
    both.do("paint", [0], True)
    np.testing.assert_allclose(both.array("attention")[0][0], [0, 1 / 3, 2 / 3], atol=1e-5)


def test_the_stated_error_holds_under_a_mask(node, bert):
    state = saved_state(bert.store.now, 10**8)
    both = Both(node, bert, atol=2e-3)
    strongest = np.argsort(bert.attention, axis=1)[:, ::-1]
    n_k = bert.attention.shape[1]
    for place in range(4):
        both.do("paint", [q * n_k + int(k) for q, k in enumerate(strongest[:, place])], True)
        found, wanted = both.array("attention")
        assert np.abs(found - wanted).max() <= state.error + 1e-7


def test_a_mask_by_hand_stays_on_every_head_and_numbers_on_theirs(node, bert):
    both = Both(node, bert, atol=2e-3)
    both.do("paint", [3, 9], True)
    both.do("drag", "Q", [2, 1], 3)
    both.do("set", "layer", 2)
    both.do("set", "head", 0)
    both.do("undo")
    both.do("set", "layer", 1)
    both.do("set", "head", 2)
    both.do("undo")
    both.do("redo")


def _numbers(answer, at=0, dtype="uint8"):
    return np.frombuffer(base64.b64decode(answer["buffers"][at]), dtype).astype(float)


def test_the_grid_and_the_lines_are_pythons(node, bert):
    from attnwidget.widget.messages import answer as python

    Both(node, bert, atol=2e-3)
    asked = {"type": "grid", "stack": "self", "part": 0}
    found = node.say(page="page", name="question", **{"with": [asked]})
    content, buffers = python(bert.store.now, asked)
    assert found["content"]["shape"] == content["shape"]
    # A pixel is 255 √(weight / peak): a small error of a weight near 0 is a large one of a pixel.
    pixels = (_numbers(found) / 255) ** 2 - (np.frombuffer(buffers[0], "uint8") / 255.0) ** 2
    assert np.abs(pixels).max() < 0.01
    for kind in ("statistics", "without_sink"):
        for name, rows in content[kind].items():
            values, wanted = (
                np.array(each, float) for each in (found["content"][kind][name], rows)
            )
            np.testing.assert_allclose(values, wanted, atol=2e-3, err_msg=name)
    asked = {"type": "lines", "stack": "self", "layer": 2}
    found = node.say(page="page", name="question", **{"with": [asked]})
    weights = _numbers(found, 0, "uint16") / 65535 * found["content"]["peak"]
    np.testing.assert_allclose(weights, bert.weights(2).ravel(), atol=1e-4)


def test_layers_far_from_the_head_on_screen_are_left_out_and_named(node, bert):
    whole = len(saved_state(bert.store.now, 10**8).text())
    state = saved_state(bert.store.now, whole - 1)
    assert state.missing == ["layer 2"]
    layers = [layer["index"] for layer in state.content["layers"]]
    assert layers == [0, 1]
    both = Both(node, bert, atol=2e-3, budget=whole - 1)
    assert (
        "Not in this page, because they need more bytes: layer 2." in both.page["plain"]["notice"]
    )
    page = node.say(page="page", name="set", **{"with": ["layer", 2]})
    assert page["plain"]["layer"] == 1
    assert page["plain"]["error"] == "Layer 2, head 2 is not saved in this page; it needs Python"


def test_given_weights_and_their_rows(node):
    rng = np.random.RandomState(3)
    given = rng.dirichlet(np.ones(4), (2, 2, 3)) * rng.uniform(0.5, 1, (2, 2, 3, 1))
    given[1, 0, 2, 1] = 0
    w = AttentionWidget.from_arrays(given, list("abc"), list("wxyz"), layer=1)
    both = Both(node, w, atol=1e-3)
    both.do("paint", [1, 6], True)
    both.do("set", "layer", 0)
    both.do("set", "head", 1)
    both.do("undo")
    both.do("undo")


def test_a_causal_model_keeps_what_it_masks_itself(node, model):
    w = AttentionWidget.from_model(DECODERS["gpt2"](), model[1], "the cat sat on")
    both = Both(node, w, atol=2e-3)
    both.do("paint", [1, 4, 6], True)  # (0, 1) and (1, 2) are the model's own
    assert both.page["plain"]["presets"] == dict(w.presets)
    both.do("setPresets", {"window": 1})
    both.do("set", "layer", 1)
    both.do("clear")


def test_a_mask_of_the_beginning_is_there(node):
    both = Both(node, AttentionWidget("a b c d", mask=causal_mask(4), n_heads=2, d_model=4))
    assert both.page["plain"]["presets"] == {"causal": True}


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_every_stack_of_an_encoder_decoder_is_there(node, name):
    model = ARCHITECTURES[name].make()
    both = Both(node, AttentionWidget.from_model(model, inputs=ARCHITECTURES[name].inputs()), 2e-3)
    both.do("paint", [1, 2], True)
    both.do("set", "stack", "cross")
    both.do("paint", [3, 1], True)
    both.do("set", "layer", 1)
    both.do("set", "stack", "decoder")
    both.do("set", "stack", "encoder")
    both.do("undo")
    both.do("undo")


def test_the_column_of_a_sink_is_there(node):
    model = ARCHITECTURES["gpt-oss"].make()
    w = AttentionWidget.from_model(model, inputs=ARCHITECTURES["gpt-oss"].inputs())
    both = Both(node, w, 2e-3)
    n_q, n_k = w.mask.shape
    assert n_k == n_q + 1
    both.do("paint", [(n_q - 1) * n_k], True)
    both.do("set", "layer", 1)
    asked = {"type": "grid", "stack": w.stack, "part": 0}
    found = node.say(page="page", name="question", **{"with": [asked]})
    assert found["content"]["shape"][2:] == [n_q, n_q]


def test_words_and_means_are_saved_as_they_are_shown(node):
    w, _ = bert_of_words(word_piece(), "unwanted running cat the cats")
    w.merge = "words"
    both = Both(node, w, 2e-3)
    both.do("paint", [1], True)
    both.do("set", "layer", 1)
    page = node.say(page="page", name="set", **{"with": ["merge", "tokens"]})
    assert page["plain"]["error"] == "This map is not saved in this page; it needs Python"
    w.merge = "tokens"
    w.stack = "mean over heads"
    both = Both(node, w, 2e-3)
    both.do("set", "layer", 1 - w.layer)
    both.do("paint", [2, 2], True)
