"""What a page sends is not trusted: arbitrary messages are refused in words and change nothing."""

from __future__ import annotations

import inspect
import json
import logging
import re
import tracemalloc
from functools import cache

import numpy as np
import pytest
from byhand import command, commands, number
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyter_client.session import json_packer
from models import ENCODERS, tokenizer
from recording import RecordingComm

from attnwidget import AttentionWidget
from attnwidget.session import settings as choices
from attnwidget.session.session import Session
from attnwidget.sources import sizes
from attnwidget.widget import messages, stopping
from attnwidget.widget.comparison import AttentionComparison
from attnwidget.wire import commands as wire_commands
from attnwidget.wire import incoming

# Sizes of a sentence for this test, so that arrays at the limits are small.
SMALL = {"d_model": 32, "d_k": 32, "d_v": 32, "n_heads": 4}
CELLS = 4_000
# The bytes that a message may cost beyond its own: arrays at the limits above, and a document.
ALLOWED = 12_000_000


@cache
def bert():
    text = "the cat sat on the mat"
    return AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), text).store.now.source


def sentence():
    return AttentionWidget("the cat sat", key_tokens="le chat noir dort", d_model=5, d_k=3)


def given_arrays():
    weights = np.random.default_rng(0).dirichlet(np.ones(4), (2, 3, 3))
    return AttentionWidget.from_arrays(weights, list("abc"), list("wxyz"))


def comparison():
    other = AttentionWidget("a dog sat", key_tokens="le chien dort", d_model=5, d_k=3)
    return AttentionComparison(sentence(), other)


SOURCES = {
    "sentence": sentence,
    "arrays": given_arrays,
    "model": lambda: AttentionWidget(Session(bert())),
    "comparison": comparison,
}


class Failures(logging.Handler):
    """Collects what ipywidgets logs where a handler of a message raises."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(self.format(record))


class Receiver:
    """A widget on a comm, and what its handler of messages does."""

    def __init__(self, widget):
        self.widget = widget
        widget.comm = RecordingComm()
        self.failures = Failures()
        widget.log.addHandler(self.failures)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.widget.log.removeHandler(self.failures)

    def take(self, message):
        """Give a message to the comm's handler; return whether the state is the state before."""
        before = self.widget.store.now
        of_host = host_traits(self.widget)
        self.widget.comm.sent.clear()
        tracemalloc.start()
        try:
            self.widget._handle_msg(message)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert self.failures.texts == []
        assert peak <= ALLOWED + 20 * size(message)
        assert host_traits(self.widget) == of_host
        for sent, _ in self.widget.comm.sent:
            json_packer(sent)  # Jupyter can send it
        assert len(self.widget.error) <= incoming.WORDS + 200
        return self.widget.store.now is before


def host_traits(widget):
    names = ("_esm", "_css", "_model_name", "_view_name", "_dom_classes", "tooltip", "tabbable")
    return [getattr(widget, name) for name in names], widget.layout.model_id


def size(message):
    return sum(len(b) for b in message.get("buffers") or ()) + len(repr(message))


def update(state, **more):
    return {"content": {"data": {"method": "update", "state": state, **more}}, "buffers": []}


def custom(content):
    return {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}


# Strategies. The names of traits, commands, questions and fields are read from the code, so that a
# new name is tried as soon as it is there.

KINDS = ("set", *wire_commands.ON_A_MODEL, *wire_commands.ON_A_MAP)
FIELDS = set(re.findall(r'sent(?:\.get\(|\[)"(\w+)"', inspect.getsource(wire_commands))) | {"seq"}
ASKED = set(re.findall(r'question(?:\.get\(|\[)"(\w+)"', inspect.getsource(messages)))
CHOICES = [
    each
    for value in vars(choices).values()
    if isinstance(value, tuple) and value and all(isinstance(v, str) for v in value)
    for each in value
]
NAMES = sorted({*wire_commands.SETTINGS, *wire_commands.EDITABLE, *choices.SETTABLE})
HOSTILE_KEYS = ["__proto__", "constructor", "self", "cls", "IPY_MODEL_", "", "\x00", "\ud800"]
NUMBERS = [0, 1, 2, 3, 4, -1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**400]
NUMBERS += [0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf")]
scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from(NUMBERS)
    | st.sampled_from([*NAMES, *CHOICES, *HOSTILE_KEYS, "x" * 200_000, "a " * 3000])
    | st.text(st.characters(), max_size=8)
)
keys = st.sampled_from([*HOSTILE_KEYS, "data", "dtype", "shape", "causal", "window", "padding"])
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
packed = st.fixed_dictionaries(
    {
        "data": st.just(memoryview(b"\x00" * 16)),
        "dtype": st.sampled_from(["float32", "uint8", "object", "S999999999"]),
        "shape": st.lists(st.sampled_from([1, 4, 2**20, 2**40, -1]), max_size=3),
    }
)
runs = st.lists(st.sampled_from([0, 1, 2, 5, 11, 12, 2**62, 2**63 - 1, -1]), max_size=8)
runs |= st.just([0, 12] * 1000)
shapes = st.sampled_from([[3, 4], [3, 3], [6, 6], [3, 5], [5, 3], [2**40, 2**40]])
records = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(["layer", "head", "query", "key"], st.integers(-1, 3) | junk),
            "kind": st.sampled_from(["remove", "zero", "mean", "first", "mute"]),
            "stack": st.sampled_from(["self", "cross", None]),
        },
    ),
    max_size=3,
)
SENSIBLE = {
    "shape": shapes, "array_shape": shapes, "on": runs, "off": runs, "do": st.sampled_from(KINDS),
    "name": st.sampled_from(NAMES), "seq": st.integers(1, 9), "stroke": st.integers(0, 3),
    "at": st.lists(st.integers(-1, 6), min_size=2, max_size=2),
    "shown": st.sampled_from([[0, 0, "self"], [1, 2, "given"], [0]]),
    "add": records, "remove": records,
}  # fmt: skip


def mostly(sensible):
    return st.one_of(sensible, sensible, sensible, junk)


one_command = st.fixed_dictionaries(
    {}, optional={name: mostly(SENSIBLE.get(name, junk)) for name in sorted(FIELDS)}
)
command_messages = (
    st.fixed_dictionaries(
        {
            "client": mostly(st.sampled_from(["p", "q"])),
            "commands": st.lists(mostly(one_command), max_size=3) | junk,
        }
    )
    | junk
)
questions = st.fixed_dictionaries(
    {"type": mostly(st.sampled_from([*messages.ANSWERS, "resync", "displayed"]))},
    optional=dict.fromkeys(sorted(ASKED - {"type"} | {"id", "page", "on"}), junk),
)
paths = st.lists(st.lists(st.sampled_from(["title", "a", "data", 0, -1, 2**70]), max_size=4) | junk)


def states(widget):
    """The state of an update: names of this widget's traits, and names that it does not have."""
    names = st.sampled_from([*widget.traits(sync=True), *HOSTILE_KEYS, "_commands"])
    return st.dictionaries(names, junk | packed, max_size=3)


@st.composite
def arbitrary(draw, widget):
    kind = draw(st.sampled_from(["update", "commands", "question", "buffers", "broken"]))
    if kind == "update":
        return update(draw(states(widget)))
    if kind == "commands":
        return update({"_commands": draw(command_messages)})
    if kind == "question":
        return custom(draw(questions | junk))
    if kind == "buffers":
        sent = update(draw(states(widget)), buffer_paths=draw(paths | junk))
        return {**sent, "buffers": draw(st.lists(st.just(memoryview(b"1234")), max_size=3))}
    data = draw(st.dictionaries(st.sampled_from(["method", "state", "content"]), junk) | junk)
    return draw(st.sampled_from([{"content": {"data": data}}, {"content": data}, {}, {"a": data}]))


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    monkeypatch.setattr(sizes, "LARGEST", SMALL)
    monkeypatch.setattr(sizes, "LARGEST_MAPS", CELLS)


def holds(widget):
    """The state is of one piece: every map has the shape of the tokens, and rows are shares."""
    if isinstance(widget, AttentionComparison):
        assert widget.a.shape == widget.b.shape == (len(widget.rows), len(widget.columns))
        return
    keys = widget.tokens if widget.key_tokens is None else widget.key_tokens
    assert widget.mask.shape == (len(widget.tokens), len(keys))
    sums = widget.attention.sum(axis=-1)
    assert np.isfinite(sums).all()
    assert (sums <= 1 + 1e-5).all()


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_arbitrary_message_changes_nothing_unless_it_is_a_command(name, data):
    widget = SOURCES[name]()
    with Receiver(widget) as receiver:
        for _ in range(3):
            message = data.draw(arbitrary(widget))
            widget.error = ""
            is_same = receiver.take(message)
            holds(widget)
            content = message.get("content", {})
            sent = content.get("data") if isinstance(content, dict) else None
            state = sent.get("state") if isinstance(sent, dict) else None
            is_one = isinstance(state, dict) and "_commands" not in state
            if widget.error and is_one:
                assert is_same, "a refused message has changed the state"
    widget.close()


@pytest.mark.parametrize("name", [each for each in SOURCES if each != "comparison"])
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(question=questions, sender=st.sampled_from(["p:1", "q:77"]))
def test_every_question_is_answered(name, question, sender):
    widget = SOURCES[name]()
    with Receiver(widget) as receiver:
        assert receiver.take(custom({**question, "id": sender})), "a question changes nothing"
        sent = [data for data, _ in widget.comm.sent]
        if question["type"] == "resync":
            assert [each["method"] for each in sent] == ["update"]
        else:
            (answer,) = [each["content"] for each in sent]
            assert answer["id"] == sender
            assert "error" not in answer or len(answer["error"]) > 10
    widget.close()


# Messages by hand: what is refused, and the words


@pytest.fixture
def receiver():
    with Receiver(sentence()) as receiver:
        yield receiver
    receiver.widget.close()


NOT_A_MESSAGE = [
    ({}, "without a method"),
    ({"content": {"data": []}}, "without a method"),
    ({"content": {"data": {"method": "steal"}}}, "method: got 'steal'"),
    ({"content": {"data": {"method": ["update"]}}}, "method: got list"),
    ({"content": {"data": {"method": "update"}}}, "state: got NoneType"),
    ({"content": {"data": {"method": "custom"}}}, "content: "),
    (update([1]), "state: got list"),
    (update({"title": "a"}, buffer_paths=[["title"]]), "buffer_paths: got 1 for 0"),
    ({**update({}, buffer_paths=[["a", "b"]]), "buffers": [b"1"]}, "leads to nothing"),
    ({**update({"a": []}, buffer_paths=[["a", -1]]), "buffers": [b"1"]}, "leads to nothing"),
    ({**update({}, buffer_paths=[[]]), "buffers": [b"1"]}, "want lists of names"),
    ({**update({}, buffer_paths=7), "buffers": [b"1"]}, "want a path for each"),
]


@pytest.mark.parametrize(("message", "words"), NOT_A_MESSAGE)
def test_a_message_that_cannot_be_read_is_refused(receiver, message, words):
    assert receiver.take(message)
    assert words in receiver.widget.error


DEEP = json.loads("[" * 900 + "]" * 900)
REFUSED_TRAITS = [
    *[(name, "stolen") for name in ("_esm", "_css", "_anywidget_id", "_view_module", "tooltip")],
    *[("layout", {"width": "9999px"}), ("_dom_classes", ["a"]), ("_view_count", 3)],
    *[("_change", {"acks": {}}), ("_early_answer", {})],
    *[(name, [[1.0]]) for name in ("Q", "W_q", "embeddings", "mask", "attention", "scores")],
    ("mask", {"data": memoryview(b"1"), "dtype": "uint8", "shape": [2**40, 2**40]}),
    ("title", "x" * 1_000_000),
    ("selection", [float("nan"), 0]),
    ("heads_on", DEEP),
]


@pytest.mark.parametrize(("name", "value"), REFUSED_TRAITS)
def test_a_trait_that_a_page_may_not_set_is_as_it_was(receiver, name, value):
    receiver.widget.selection = (1, 2)
    before = getattr(receiver.widget, name)
    assert receiver.take(update({name: value}))
    assert getattr(receiver.widget, name) is before
    assert receiver.widget.error.startswith(f"{name}: ")


def test_a_page_clears_an_error_and_writes_none(receiver):
    assert receiver.take(update({"error": "all is well"}))
    assert receiver.widget.error == "error: a page can only clear it"
    receiver.take(update({"error": ""}))
    assert receiver.widget.error == ""


def test_a_comparison_keeps_its_kind():
    with Receiver(comparison()) as receiver:
        assert receiver.take(update({"comparison": False}))
        assert receiver.widget.comparison
        assert receiver.widget.error.startswith("comparison: ")


def test_names_that_the_widget_does_not_have_are_ignored(receiver):
    assert receiver.take(update({"self": 1, "__proto__": {"a": 1}, "__class__": "int"}))
    assert receiver.widget.error == ""


MANY = ["x" * 90_000, *["a"] * 20_000]  # an array of these would have 7 GB
REFUSED_COMMANDS = [
    ({"on": [0, 12] * 400_000}, "more cells than"),
    ({"on": [2**62, 2**62]}, "reaches outside"),
    ({"on": [[0, 1], [2, 1]]}, "lists in a list"),
    ({"on": [3, 2**64]}, "can't be read"),
    ({"on": [0, 1], "presets": {"window": 10**30}}, "window: "),
    ({"on": [0, 1], "stroke": "1"}, "stroke: "),
    ({"do": "set", "name": "temperature", "value": MANY}, "temperature: "),
    ({"do": "set", "name": "tokens", "value": "x" * 200_000}, "200,000 characters"),
    ({"do": "set", "name": "tokens", "value": DEEP}, "deep"),
    ({"do": "set", "name": "tokens", "value": "a " * 3000}, "cells"),
    ({"do": "set", "name": "n_heads", "value": 10**9}, "n_heads: "),
    ({"do": "set", "name": "_esm", "value": "alert(1)"}, "_esm: a page can't set it"),
    ({"do": "set", "name": "mask", "value": [[1]]}, "mask: a page can't set it"),
    ({"do": "set", "name": ["tokens"], "value": "a"}, "a page can't set it"),
    ({"do": ["paint"]}, "do: got"),
]


@pytest.mark.parametrize(("sent", "words"), REFUSED_COMMANDS)
def test_a_refused_command_is_answered_and_changes_nothing(receiver, sent, words):
    assert receiver.take(update(commands((3, 4), sent)))
    assert words in receiver.widget.error
    answer = receiver.widget.comm.states()[-1]["_change"]
    assert answer["acks"] == {"p": 1}
    assert answer["refused"]["p"]["1"] == receiver.widget.error


@pytest.mark.parametrize(
    "message",
    [
        {"client": "x" * 1_000_000, "commands": []},
        {"client": {"a": 1}, "commands": []},
        {"commands": []},
        {"client": "p", "commands": 7},
        {"client": "p", "commands": [command(1, (3, 4), on=[0, 1]) | {"seq": "1"}]},
        {"client": "p", "commands": [command(1, (3, 4), on=[0, 1]) | {"seq": 2**60}]},
        {"client": "p", "commands": [command(1, (3, 4), on=[0, 1]) | {"seq": True}]},
        DEEP,
    ],
    ids=range(8),
)
def test_commands_of_no_page_or_without_numbers_are_refused(receiver, message):
    assert receiver.take(update({"_commands": message}))
    assert receiver.widget.error
    assert not receiver.widget.comm.states()[-1]["_change"]["acks"]


def test_few_queries_and_many_keys_do_not_make_large_keys(receiver):
    """The map has few cells, but K has a row for each key, and as many columns as d_k."""
    widget = receiver.widget
    many = [
        {"do": "set", "name": "d_k", "value": 32},
        {"do": "set", "name": "tokens", "value": "a"},
    ]
    receiver.take(update(commands((3, 4), *many)))
    assert not widget.error
    wide = command(3, (1, 4), "set", name="key_tokens", value="a " * 3000)
    assert receiver.take(update({"_commands": {"client": "p", "commands": [wide]}}))
    assert "K of shape" in widget.error or "key_embeddings of shape" in widget.error


def test_the_latest_pages_are_remembered(receiver):
    for i in range(3 * incoming.CLIENTS):
        wrong = {"seq": 1, "do": "sideways"}
        receiver.take(update({"_commands": {"client": f"page {i}", "commands": [wrong]}}))
    answer = receiver.widget.comm.states()[-1]["_change"]
    latest = [f"page {i}" for i in range(2 * incoming.CLIENTS, 3 * incoming.CLIENTS)]
    assert list(answer["acks"]) == list(answer["refused"]) == latest


def test_too_many_commands_at_once_are_refused_and_answered(receiver):
    paint = [command(i, (3, 4), on=[0, 1]) for i in range(1, incoming.COMMANDS + 2)]
    assert receiver.take(update({"_commands": {"client": "p", "commands": paint}}))
    answer = receiver.widget.comm.states()[-1]["_change"]
    assert answer["acks"] == {"p": incoming.COMMANDS + 1}
    assert "10,001 commands at once" in receiver.widget.error
    assert receiver.take(update(commands((3, 4), {"on": [0, 1]}))), "it was answered before"


def test_half_a_character_can_be_sent_and_stays_in_python(receiver):
    assert not receiver.take(update({"title": "a\ud800b"}))
    assert receiver.widget.title == "a\ud800b"
    assert receiver.widget.get_state("title") == {"title": "a\ufffdb"}
    receiver.widget.tokens = ["\udcff", "\ud83d\ude00", "c"]
    assert receiver.widget.get_state("tokens")["tokens"] == ("\ufffd", "😀", "c")
    json_packer(receiver.widget._repr_mimebundle_()[0])


@pytest.mark.parametrize("content", [None, 7, "resync", [], ["type"], {"id": 1}, DEEP])
def test_a_message_that_is_no_question_has_no_answer(receiver, content):
    assert receiver.take(custom(content))
    assert receiver.widget.comm.sent == []


def test_a_name_of_a_question_that_is_too_long_is_not_sent_back(receiver):
    receiver.take(custom({"type": "pie", "id": "x" * 1000}))
    ((sent, _),) = receiver.widget.comm.sent
    assert sent["content"] == {
        "id": None, "error": "type: got 'pie', want one of bertviz, figure, grid, lines, map",
    }  # fmt: skip


@pytest.mark.parametrize("page", [None, "", "x" * 1_000_000, ["a"]])
def test_a_comparison_is_displayed_by_pages_with_a_name(page):
    with Receiver(comparison()) as receiver:
        assert receiver.take(custom({"type": "displayed", "page": page, "on": True}))
        assert receiver.widget.error.startswith("client: ")
        for i in range(200):
            receiver.take(custom({"type": "displayed", "page": str(i), "on": True}))
        assert len(receiver.widget.store._pages) == 64


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": {"data": 7}},
        {"content": {"data": {"key": ["a"]}}},
        {"content": {"data": {}}},
    ],
)
def test_a_stop_that_names_no_generation_stops_none(message):
    from threading import Event

    stop = Event()
    with stopping.stoppable(stop):
        stopping._set_stop(None, message)
    assert not stop.is_set()


def test_a_page_still_does_its_lesson(receiver):
    widget = receiver.widget
    sent = commands((3, 4), {"on": [5, 2]}, number(widget, "Q", (0, 1), 2.5))
    assert not receiver.take(update({**sent, "layer": 0, "cmap": "magma", "title": "mine"}))
    assert (widget.mask[1, 1:3].all(), widget.Q[0, 1]) == (True, 2.5)
    assert (widget.cmap, widget.title, widget.error) == ("magma", "mine", "")
