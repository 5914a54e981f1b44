"""The session without Jupyter: commands, groups, mirrors, and what is computed when."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from byhand import maps
from models import DECODERS, tokenizer

from attnwidget.capture.source import ModelSource
from attnwidget.session.commands import (
    REDO,
    UNDO,
    PaintCells,
    Reset,
    Set,
    SetNumber,
    ShowSource,
    Toggle,
)
from attnwidget.session.session import Session
from attnwidget.session.store import Change, RefusedError
from attnwidget.sources.api import HeadInputs
from attnwidget.sources.given import GivenSource
from attnwidget.sources.lab import LabSource

TOKENS = "The cat sat on the mat"


@pytest.fixture
def session() -> Session:
    """Six queries, four keys: a transposed index shows."""
    return Session(LabSource.create(TOKENS, key_tokens="a b c d", d_model=5, d_k=3, d_v=2))


def flat(*cells: tuple[int, int]) -> np.ndarray:
    return np.array([query * 4 + key for query, key in cells], dtype=np.intp)


def paint(*on: tuple[int, int], off: tuple[tuple[int, int], ...] = ()) -> PaintCells:
    return PaintCells(flat(*on), flat(*off))


def follows(session: Session) -> None:
    """Hold the maps to torch's."""
    now = session.now
    inputs = now.inputs
    weights, output = maps(
        inputs.Q,
        inputs.K,
        inputs.V,
        now.maps.mask,
        scale=inputs.scale,
        temperature=inputs.temperature,
    )
    np.testing.assert_allclose(now.maps.attention, weights, atol=1e-12)
    np.testing.assert_allclose(now.maps.output, output, atol=1e-12)


class Recorder:
    """A mirror that writes down what it is sent and told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def send_change(self, change: Change[Any]) -> None:
        self.calls.append(("sent", change))

    def tell_change(self, change: Change[Any]) -> None:
        self.calls.append(("told", change))

    def send_again(self) -> None:
        self.calls.append(("again", None))


# Commands


def test_painted_cells_are_masked_and_the_maps_follow(session: Session) -> None:
    change = session.do(paint((1, 3), (5, 0)))
    np.testing.assert_array_equal(np.argwhere(session.now.maps.mask), [[1, 3], [5, 0]])
    assert change.after is session.now
    assert not change.before.maps.mask.any()
    follows(session)


def test_a_command_that_is_done_twice_is_done_once(session: Session) -> None:
    for command in (paint((2, 1)), Set("view", "steps"), Set("seed", 3), Set("temperature", 0.5)):
        session.do(command)
        before = session.now
        assert session.do(command).after is before


def test_the_old_state_stays_as_it_was(session: Session) -> None:
    before = session.now
    attention, copy = before.maps.attention, before.maps.attention.copy()
    session.do(Toggle(3, 2))
    assert before.maps.attention is attention
    np.testing.assert_array_equal(attention, copy)
    assert session.now.maps.attention[3, 2] == 0


def test_undo_redo_and_reset_return_what_was_there(session: Session) -> None:
    Q = session.now.inputs.Q
    assert Q is not None
    session.do(Toggle(0, 3))
    session.do(Set("Q", Q + 1))
    session.do(UNDO)
    np.testing.assert_array_equal(session.now.inputs.Q, Q)
    session.do(UNDO)
    assert not session.now.maps.mask.any()
    assert session.do(UNDO).after is session.now
    session.do(REDO)
    session.do(REDO)
    np.testing.assert_array_equal(session.now.inputs.Q, Q + 1)
    session.do(Reset())
    np.testing.assert_array_equal(session.now.inputs.Q, Q)
    assert session.now.maps.mask[0, 3]
    follows(session)


def test_a_number_made_on_another_array_is_void(session: Session) -> None:
    before = session.now
    shown = before.shown
    session.do(SetNumber("K", (0, 0), 9.0, (6, 3), shown))
    assert session.now is before
    session.do(SetNumber("K", (3, 2), 9.0, (4, 3), shown))
    assert session.now.inputs.K is not None
    assert session.now.inputs.K[3, 2] == 9
    follows(session)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Set("view", "pie"), "view: got 'pie'"),
        (Set("Q", np.ones((4, 3))), r"Q: got shape \(4, 3\)"),
        (Set("selection", (4, 6)), "selection"),
        (Set("report", 3), "report"),
        (Set("seed", -1), "seed"),
        (Toggle(4, 5), "key: got 5"),
        (PaintCells(flat(), flat(), {"window": -1}), "window"),
    ],
)
def test_a_refusal_changes_nothing(session: Session, command: Any, words: str) -> None:
    mirror, before = Recorder(), session.now
    session.attach(mirror)
    with pytest.raises(RefusedError, match=words):
        session.do(command)
    assert session.now is before
    assert mirror.calls == []


def test_a_source_that_follows_keeps_what_was_masked_by_hand(session: Session) -> None:
    session.do(Toggle(1, 2))
    longer = LabSource.create([*TOKENS.split(), "now"], key_tokens="a b c d e", d_model=5, d_k=3)
    session.do(ShowSource(longer))
    assert session.now.shape == (7, 5)
    np.testing.assert_array_equal(np.argwhere(session.now.maps.mask), [[1, 2]])


# Groups


def in_a_group(
    session: Session,
    *commands: Any,
    error: type[BaseException] | None = None,
    atomic: bool = True,
) -> None:
    with session.batch(atomic=atomic):
        for command in commands:
            session.do(command)
        if error is not None:
            raise error


def test_a_group_is_one_change_one_step_and_one_revision(session: Session) -> None:
    mirror, revision = Recorder(), session.now.revision
    session.attach(mirror)
    with session.batch():
        session.do(Set("d_k", 4))
        session.do(Toggle(2, 0))
        session.do(Set("temperature", 2.0))
        assert session.now.inputs.temperature == 2
        assert mirror.calls == []
    assert [kind for kind, _ in mirror.calls] == ["sent", "told"]
    assert session.now.revision == revision + 1
    assert session.now.depth == (1, 0)
    session.do(UNDO)
    assert session.now.source.d_k == 3
    assert not session.now.maps.mask.any()


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyboardInterrupt])
def test_an_error_takes_a_group_back(session: Session, error: type[BaseException]) -> None:
    mirror, before = Recorder(), session.now
    session.attach(mirror)
    with pytest.raises(error):
        in_a_group(session, Toggle(0, 0), error=error)
    assert session.now is before
    assert mirror.calls == []


def test_commands_of_a_page_stand_alone(session: Session) -> None:
    with pytest.raises(RuntimeError):
        in_a_group(session, Toggle(0, 0), Toggle(4, 1), error=RuntimeError, atomic=False)
    np.testing.assert_array_equal(np.argwhere(session.now.maps.mask), [[0, 0], [4, 1]])
    assert session.now.depth == (2, 0)


def test_a_group_takes_values_in_any_order(session: Session) -> None:
    in_a_group(session, Set("head", 2), Set("n_heads", 3))
    assert session.now.shown == (0, 2, "cross")
    before = session.now
    with pytest.raises(RefusedError, match="head: got 5"):
        in_a_group(session, Set("head", 5), Set("seed", 1))
    assert session.now is before


# Mirrors


def test_the_lock_is_held_while_a_change_is_sent_and_not_while_it_is_told(
    session: Session,
) -> None:
    free: list[bool] = []

    def try_lock() -> None:
        free.append(session.lock.acquire(blocking=False))
        if free[-1]:
            session.lock.release()

    class Prober(Recorder):
        def _probe(self) -> None:
            thread = threading.Thread(target=try_lock)
            thread.start()
            thread.join()

        def send_change(self, change: Change[Any]) -> None:
            self._probe()

        def tell_change(self, change: Change[Any]) -> None:
            self._probe()

    session.attach(Prober())
    session.do(Toggle(0, 0))
    with session.batch():
        session.do(Toggle(1, 0))
    assert free == [False, True, False, True]


def test_every_mirror_is_told_and_the_first_error_is_raised(session: Session) -> None:
    class Fails(Recorder):
        def tell_change(self, change: Change[Any]) -> None:
            raise RuntimeError("mine")

    last = Recorder()
    session.attach(Fails())
    detach = session.attach(last)
    with pytest.raises(RuntimeError, match="mine"):
        session.do(Toggle(1, 1))
    assert [kind for kind, _ in last.calls] == ["sent", "told"]
    assert session.now.maps.mask[1, 1]
    detach()
    with pytest.raises(RuntimeError):
        session.do(Toggle(1, 1))
    assert len(last.calls) == 2


def test_an_interrupt_while_sending_sends_again(session: Session) -> None:
    class Interrupted(Recorder):
        def send_change(self, change: Change[Any]) -> None:
            raise KeyboardInterrupt

    mirror = Interrupted()
    session.attach(mirror)
    with pytest.raises(KeyboardInterrupt):
        session.do(Toggle(2, 3))
    assert [kind for kind, _ in mirror.calls] == ["again", "told"]
    assert session.now.maps.mask[2, 3]


# What is computed when


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[HeadInputs]:
    """Every `HeadInputs` that is made."""
    made: list[HeadInputs] = []
    check = HeadInputs.__post_init__

    def noted(inputs: HeadInputs) -> None:
        made.append(inputs)
        check(inputs)

    monkeypatch.setattr(HeadInputs, "__post_init__", noted)
    return made


def test_the_inputs_of_a_head_are_built_once_for_each_change(built: list[HeadInputs]) -> None:
    source = ModelSource.capture(DECODERS["gpt2"](), tokenizer(), "the cat sat")
    session = Session(source)
    assert len(built) == 1
    session.do(Set("layer", 2))
    assert len(built) == 2
    session.do(Toggle(2, 0))
    assert len(built) == 2
    assert session.now.inputs.Q is not None
    session.do(Set("Q", 2 * session.now.inputs.Q))
    assert len(built) == 3


def test_a_look_computes_nothing(built: list[HeadInputs]) -> None:
    session = Session(GivenSource.create(np.full((2, 3, 4, 5), 0.2), "a b c d", "v w x y z"))
    before = session.now
    built.clear()
    session.do(Set("cmap", "magma"))
    session.do(Set("selection", (3, 4)))
    assert built == []
    assert session.now.maps is before.maps
    assert session.now.revision == before.revision


# What a map has no numbers for


class WithoutV(GivenSource):
    """A layer whose Q and K were seen and whose V was not."""

    def head(self, layer: int, head: int) -> HeadInputs:
        Q, K = np.ones((4, 2)), np.ones((5, 2))
        return HeadInputs(Q, K, None, 0.5)


@pytest.mark.parametrize("view", ["steps", "neuron"])
def test_a_view_of_v_is_refused_where_v_was_not_seen(session: Session, view: str) -> None:
    source = WithoutV.create(np.full((1, 1, 4, 5), 0.2), "a b c d", "v w x y z")
    other = Session(source)
    with pytest.raises(RefusedError, match=f"view: '{view}' needs V"):
        other.do(Set("view", view))
    session.do(Set("view", view))
    session.do(ShowSource(source))
    assert session.now.view == "heatmap"
