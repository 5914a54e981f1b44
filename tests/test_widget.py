"""The widget's state: what is set, what follows, what crosses the wire, what is refused."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from byhand import commands, number
from recording import RecordingComm

from attnwidget import AttentionWidget, causal_mask
from attnwidget.session.settings import CMAPS, VIEWS

ROOT = Path(__file__).parents[1]


def reference(Q, K, V, mask, scale=None):
    """Attention and output by torch in float64; rows without a key are zero."""
    q, k, v = (torch.as_tensor(np.array(a, dtype=float)) for a in (Q, K, V))
    keep = torch.as_tensor(~np.array(mask))
    if scale is None:
        scale = k.shape[-1] ** -0.5
    weights = torch.softmax((q @ k.mT * scale).masked_fill(~keep, -torch.inf), -1).nan_to_num(0.0)
    return weights.numpy(), (weights @ v).numpy()


def check(w):
    weights, output = reference(w.Q, w.K, w.V, w.mask, w.scale)
    np.testing.assert_allclose(w.attention, weights, atol=1e-12)
    np.testing.assert_allclose(w.output, output, atol=1e-12)


@pytest.fixture
def w():
    widget = AttentionWidget("The cat sat on the mat", d_model=5, d_k=3, d_v=2)
    widget.comm = RecordingComm()
    yield widget
    widget.close()


def test_everything_downstream_follows(w):
    check(w)
    rng = np.random.default_rng(0)
    for name in ("embeddings", "W_q", "W_k", "W_v", "Q", "K", "V"):
        before = w.output
        setattr(w, name, rng.normal(size=getattr(w, name).shape))
        assert not np.allclose(w.output, before), name
        check(w)
    w.mask = causal_mask(6)
    check(w)
    w.scale = 3.0
    check(w)


def test_one_message_for_one_set(w):
    w.embeddings = np.ones((6, 5))
    (state,) = w.comm.states()
    assert {"embeddings", "Q", "K", "V", "scores", "attention", "output"} <= set(state)


def test_a_toggle_sends_one_row_only():
    w = AttentionWidget([f"t{i}" for i in range(96)])
    w.comm = RecordingComm()
    w.toggle(3, 5)
    (state,) = w.comm.states()
    assert set(state) == {"_change", "history", "revision"}
    assert w.comm.bytes() < 96 * 5 + 100  # a row of the mask and one of float32 weights
    check(w)


def test_arrays_come_out_read_only_and_never_change_later(w):
    held = {name: getattr(w, name) for name in ("mask", "attention", "output", "Q", "embeddings")}
    copies = {name: array.copy() for name, array in held.items()}
    for array in held.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    w.toggle(2, 4)
    w.embeddings = np.ones((6, 5))
    for name, array in held.items():
        np.testing.assert_array_equal(array, copies[name])


def test_given_arrays_are_neither_kept_nor_changed():
    X = np.ones((3, 4))
    w = AttentionWidget("a b c", embeddings=X)
    X[:] = 7
    assert (w.embeddings == 1).all()
    assert X.flags.writeable


def test_observers_see_one_state(w):
    seen = []

    def observer(event):
        check(w)
        seen.append(event["name"])

    w.observe(observer, ["Q", "attention", "output", "mask"])
    w.W_q = np.ones((5, 3))
    assert seen == ["Q", "attention", "output"]
    seen.clear()
    w.toggle(0, 1)
    assert seen == ["mask", "attention", "output"]


def test_an_observer_may_set(w):
    w.observe(lambda e: setattr(w, "mask", causal_mask(len(w.tokens))), "tokens")
    w.tokens = "one two three"
    np.testing.assert_array_equal(w.mask, np.triu(np.ones((3, 3), bool), 1))
    check(w)


def test_tokens_resize_and_masks_survive(w):
    w.toggle(1, 2)
    w.toggle(5, 0)
    w.tokens = "a b c"
    assert w.tokens == ("a", "b", "c")
    np.testing.assert_array_equal(np.argwhere(w.mask), [[1, 2]])
    assert w.embeddings.shape == (3, 5)
    check(w)
    w.tokens = "a b c d e f g"
    np.testing.assert_array_equal(np.argwhere(w.mask), [[1, 2]])
    check(w)


def test_undo_and_redo_span_python_and_the_browser(w):
    w.mask = causal_mask(6)
    first = w.mask
    w.set_state(commands((6, 6), {"seq": 1, "stroke": 1, "on": [6, 1]}))
    assert w.mask[1, 0]
    assert w.undo()
    np.testing.assert_array_equal(w.mask, first)
    w.set_state(commands((6, 6), {"seq": 2, "stroke": 2, "do": "undo"}))
    assert not w.mask.any()
    assert w.history == (0, 2)
    assert w.redo()
    assert w.redo()
    assert not w.redo()
    assert w.mask[1, 0]
    check(w)


def test_a_stroke_undoes_at_once_and_a_resent_edit_counts_once(w):
    sent = [{"stroke": 9, "on": [i, 1]} for i in (1, 2, 3)]
    w.set_state(commands((6, 6), *sent[:2]))
    w.set_state(commands((6, 6), *sent))
    assert w.mask.sum() == 3
    assert w.history == (1, 0)
    w.set_state(commands((6, 6), *sent))
    assert w.history == (1, 0)
    assert w.get_state("_change")["_change"]["acks"] == {"p": 3}


@pytest.mark.parametrize(
    "sent", [{"on": [35, 2]}, {"on": [-1, 1]}, {"on": [0]}, {"off": [0]}, {"on": 0}]
)
def test_a_wrong_edit_is_said_and_changes_nothing(w, sent):
    w.set_state(commands((6, 6), sent))
    assert w.error
    assert not w.mask.any()


def test_a_wrong_state_from_the_browser_is_taken_back(w):
    w.set_state({"head": 7})
    assert w.error == "head: got 7, want 0..0"
    assert w.head == 0
    assert w.comm.states()[-1]["head"] == 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Q", np.ones((3, 6)), r"Q: got shape \(3, 6\), want \(6, 3\)"),
        ("embeddings", np.ones((5, 5)), r"embeddings: got shape \(5, 5\), want \(6, 5\)"),
        ("embeddings", np.full((6, 5), np.inf), "embeddings: 30 of 30 values are NaN or infinite"),
        ("W_v", np.ones((4, 2)), r"W_v: got shape \(4, 2\), want \(5, any\)"),
        ("mask", np.full(6, 0.5), "0.5"),
        ("mask", np.zeros((6, 5)), r"\(6, 5\)"),
        ("cmap", "jet", "cmap: got 'jet', want one of viridis"),
        ("view", "pie", "view: got 'pie'"),
        ("color_scale", 3, "color_scale: got 3"),
        ("layer", 1, "layer: got 1, want 0"),
        ("head", True, "head: got True, want a whole number"),
        ("selection", (6, 0), "selection: got 6"),
        ("tokens", "", "tokens: got none"),
        ("tokens", 5, "tokens: got int"),
        ("scale", float("nan"), "scale"),
    ],
)
def test_bad_input_leaves_everything_as_it_was(w, name, value, says):
    before = {n: getattr(w, n) for n in w.trait_names(sync=True) if n != "comm"}
    with pytest.raises((TypeError, ValueError), match=says):
        setattr(w, name, value)
    assert w.comm.sent == []
    for trait, old in before.items():
        np.testing.assert_array_equal(
            np.asarray(getattr(w, trait), dtype=object), np.asarray(old, dtype=object)
        )


@pytest.mark.parametrize("name", ["scores", "attention", "output", "locked", "layers", "revision"])
def test_what_is_computed_cannot_be_set(w, name):
    with pytest.raises(traitlets.TraitError, match=name):
        setattr(w, name, getattr(w, name))


def test_an_unknown_keyword_gets_a_hint():
    with pytest.raises(TypeError, match="unknown keyword 'nheads'; did you mean 'n_heads'"):
        AttentionWidget("a b", nheads=2)


def page_after(w):
    """The maps as a page has them that got every message: whole arrays, then rows on top."""
    page = {}
    for state in w.comm.states():
        page |= {k: unpack(v) for k, v in state.items() if k in ("mask", "attention", "output")}
        if change := state.get("_change"):
            for name in ("mask", "attention", "output"):
                page[name][unpack(change["rows"])] = unpack(change[name])
    return page


def unpack(packed):
    return np.frombuffer(packed["data"], packed["dtype"]).reshape(packed["shape"]).copy()


def several_toggles(w):
    for cell in [(0, 0), (1, 1), (2, 2)]:
        w.toggle(*cell)


def toggle_then_inputs(w):
    w.toggle(0, 0)
    w.embeddings = np.arange(30.0).reshape(6, 5) / 30


def inputs_then_toggle(w):
    w.Q = np.arange(18.0).reshape(6, 3) / 18
    w.toggle(4, 4)


@pytest.mark.parametrize("change", [several_toggles, toggle_then_inputs, inputs_then_toggle])
def test_one_message_of_many_changes_leaves_the_page_right(w, change):
    w.send_state()
    with w.hold_sync():
        change(w)
    page = page_after(w)
    np.testing.assert_array_equal(page["mask"], w.mask)
    np.testing.assert_allclose(page["attention"], w.attention, atol=1e-6)
    np.testing.assert_allclose(page["output"], w.output, atol=1e-5)


def test_a_click_on_a_map_that_is_gone_changes_nothing(w):
    w.tokens = "eight tokens are more than six of them"
    w.set_state(commands((6, 6), {"seq": 1, "on": [28, 1]}))
    assert not w.mask.any()
    assert not w.error
    assert w.get_state("_change")["_change"]["acks"] == {"p": 1}


def test_an_observer_that_raises_leaves_nothing_half_sent(w):
    def fails(_):
        raise RuntimeError("mine")

    w.send_state()
    w.observe(fails, ["Q", "mask"])
    with pytest.raises(RuntimeError, match="mine"):
        w.embeddings = np.ones((6, 5))
    with pytest.raises(RuntimeError, match="mine"):
        w.toggle(1, 1)
    np.testing.assert_allclose(page_after(w)["attention"], w.attention, atol=1e-6)
    assert w.history == (2, 0)
    w.comm = RecordingComm()
    with pytest.raises(RuntimeError, match="mine"):
        w.set_state(commands((6, 6), {"seq": 1, "on": [0, 1]}, {"seq": 2, "on": [1, 1]}))
    assert w.mask[0, :2].all()
    assert not w.error  # nothing was refused
    (state,) = w.comm.states()
    assert set(state) == {"_change", "history", "revision"}


@pytest.mark.parametrize(
    "sent", [{"view": "pie"}, {"layer": 7}, {"head": None}, {"cmap": None}, {"color_scale": 1}]
)
def test_what_the_browser_may_not_set_is_as_it_was(w, sent):
    (name,) = sent
    before = getattr(w, name)
    w.set_state(sent)
    assert getattr(w, name) == before
    assert name in w.error


def test_a_late_selection_is_none(w):
    w.set_state({"selection": [9, 9]})
    assert w.selection is None
    assert not w.error


def test_a_group_of_bad_values_is_taken_back(w):
    before = w.Q
    with pytest.raises(ValueError, match="Q: got shape"), w.hold_trait_notifications():
        w.Q = np.ones((3, 3))
    np.testing.assert_array_equal(w.Q, before)
    check(w)


@pytest.mark.parametrize("name", ["tokens", "embeddings", "W_q", "Q", "scale", "layer", "view"])
def test_none_is_no_value(w, name):
    if name == "scale":
        w.scale = None  # the default
        assert w.scale == pytest.approx(3**-0.5)
        return
    before = getattr(w, name)
    with pytest.raises((TypeError, ValueError), match=name):
        setattr(w, name, None)
    np.testing.assert_array_equal(getattr(w, name), before)
    check(w)


@pytest.mark.parametrize(
    ("name", "value"),
    [("embeddings", np.full((6, 5), 1e200)), ("Q", np.full((6, 3), 1e20)), ("scale", 1e38)],
)
def test_what_would_overflow_is_refused_by_name(w, name, value):
    before = w.attention
    with pytest.raises(ValueError, match="finite"):
        setattr(w, name, value)
    np.testing.assert_array_equal(w.attention, before)
    check(w)


def test_two_threads_may_edit_at_once(w):
    # JupyterLab hands widget messages to a thread beside the one that runs cells.
    def click(row):
        for i in range(60):
            paint = {"seq": i + 1, "on": [row * 6 + i % 6, 1]}
            w.set_state(commands((6, 6), paint, client=f"page{row}"))
            w.toggle(row + 3, i % 6)

    threads = [threading.Thread(target=click, args=(row,)) for row in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.mask[:3].all()
    assert not w.mask[3:].any()
    check(w)


def test_threads_may_set_numbers_settings_and_sentences_at_once(w):
    failed = []

    def run(act):
        try:
            for i in range(25):
                act(i)
        except Exception as error:
            failed.append(error)

    def group(i):
        with w.hold_trait_notifications():
            w.seed = i
            w.d_k = 2 + i % 3

    def type_in(i):
        sent = {**number(w, "Q", (0, 0), float(i)), "seq": i + 1}
        w.set_state(commands(w.mask.shape, sent))

    acts = [
        group,
        type_in,
        lambda i: setattr(w, "tokens", ["t"] * (3 + i % 4)),
        lambda i: w.undo(),
        lambda i: w.output_shift,
    ]
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert not w.error
    check(w)


def test_a_slip_in_a_name_is_no_new_attribute(w):
    with pytest.raises(AttributeError, match="no 'maks'; did you mean 'mask'"):
        w.maks = causal_mask(6)
    with pytest.raises(AttributeError, match="no 'foo'; want a trait"):
        w.foo = 3
    w._my_own_note = "private names are the user's"


def unmasked(Q, K, mask=None):
    return torch.softmax(torch.tensor(Q @ K.T / K.shape[1] ** 0.5), -1)


def masked(Q, K, mask=None):
    scores = torch.tensor(Q @ K.T / K.shape[1] ** 0.5)
    if mask is not None:
        scores = scores.masked_fill(torch.tensor(np.broadcast_to(mask, scores.shape) != 0), -1e30)
    return torch.softmax(scores, -1).numpy()


def test_a_students_function_is_checked_on_this_widget(w):
    assert w.check(masked)
    w.mask = causal_mask(6)
    assert w.check(masked)
    result = w.check(unmasked)
    assert not result
    assert result.case == "given"
    want, _ = reference(w.Q, w.K, w.V, w.mask)
    np.testing.assert_allclose(result.difference, unmasked(w.Q, w.K).numpy() - want, atol=1e-12)
    assert w.check(lambda Q, K: masked(Q * K.shape[1] ** 0.5, K)).mistake == "no-scale"


def test_the_lab_s_own_masked_scores_are_named(w):
    def lab_s(Q, K, mask=None):
        scores = Q @ K.T / np.sqrt(Q.shape[1])
        if mask is not None:
            scores += mask * -1e9
        return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    result = w.check(lab_s, mask=np.array([[0, 0, 0, 0, 0, -1]]))
    assert (result.ok, result.mistake) == (False, "mask-sign")


def test_hostile_tokens_are_just_text():
    tokens = [
        "",
        "x" * 300,
        "👩\u200d👧",
        "שלום",
        "<img src=x onerror=alert(1)>",
        "\n",
        "</script>",
    ]
    w = AttentionWidget(tokens)
    assert list(w.tokens) == tokens
    check(w)


def test_every_cell_may_be_masked(w):
    w.mask = np.ones(6)
    assert (w.attention == 0).all()
    assert (w.output == 0).all()


def test_several_heads_share_the_mask():
    w = AttentionWidget("a b c d", n_heads=3, d_model=6)
    w.toggle(0, 2)
    check(w)
    w.head = 2
    assert w.shown == (0, 2, "self")


def test_the_table_of_names_is_the_class():
    table = (ROOT / "js" / "wire" / "schema.d.ts").read_text()
    body = re.search(r"export interface Traits \{(.*?)\n\}", table, re.DOTALL).group(1)
    names = set(re.findall(r"^ {2}(\w+)\??:", body, re.MULTILINE))
    own = {n for n in AttentionWidget.class_trait_names(sync=True) if n not in _inherited()}
    assert names == own


def _inherited():
    import anywidget

    # The last three are what anywidget adds to each widget.
    own = {"comm", "_esm", "_css", "_anywidget_id"}
    return {*anywidget.AnyWidget.class_trait_names(), *own}


def test_the_colour_maps_are_the_same_on_both_sides():
    source = (ROOT / "js" / "draw" / "color.ts").read_text()
    (listed,) = re.findall(r"CMAPS = \[(.*?)\]", source, re.DOTALL)
    assert tuple(re.findall(r'"(\w+)"', listed)) == CMAPS


def test_the_views_are_the_same_on_both_sides():
    source = (ROOT / "js" / "card" / "view.ts").read_text()
    (listed,) = re.findall(r"export type ViewName =(.*?);", source, re.DOTALL)
    assert tuple(re.findall(r'"([\w-]+)"', listed)) == VIEWS


def test_a_sentence_of_the_lab_has_nothing_to_notice():
    w = AttentionWidget("a b c")
    assert w.notice == ""
    w.toggle(2, 0)
    assert w.notice == ""
