"""A comparison of two sessions, which follows their changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnwidget.maths.alignment import ALIGNMENTS
from attnwidget.maths.validate import cell, choice, index
from attnwidget.session.aligned import TITLE, PairState
from attnwidget.session.pair import Side
from attnwidget.session.settings import CMAPS
from attnwidget.session.store import Command, Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnwidget.session.session import Session
    from attnwidget.session.snapshot import Snapshot
    from attnwidget.session.store import Change

_CHOICES = {"cmap": CMAPS, "color_scale": ("unit", "map")}
# The pages that are remembered as displaying a comparison.
_PAGES = 64


@dataclass(frozen=True)
class Pick:
    """Set a choice of the comparison by its name: the stack, the head or the display."""

    name: str
    value: Any

    @property
    def may_wait(self) -> str:
        """Return the name: a later value of the same group replaces a refused value."""
        return self.name

    def apply(self, now: PairState) -> PairState:
        """Return the state with the value in force."""
        name, value = self.name, self.value
        if name == "selection":
            value = None if value is None else cell(name, value, now.aligned.a.shape)
        elif name == "title":
            if not isinstance(value, str | None):
                raise TypeError(f"title: got {type(value).__name__}, want a str or None")
            value = TITLE if value is None else value
        elif name in _CHOICES:
            value = choice(name, value, _CHOICES[name])
        else:
            return self._picked(now)
        return now if value == getattr(now, name) else now.evolve(**{name: value})

    def _picked(self, now: PairState) -> PairState:
        name, value = self.name, self.value
        if name == "align":
            value = choice(name, value, ALIGNMENTS)
        elif name == "stack":
            value = choice(name, value, tuple(now.offers))
        elif name == "layer":
            value = index(name, value, now.offer.heads)
        else:
            value = index(name, value, range(now.offer.heads[now.layer]))
        if value == getattr(now, name):
            return now
        after = now.evolve(**{name: value})
        layer, head = after.offer.nearest(after.layer, after.head)
        after = after.evolve(layer=layer, head=head)
        after.check_tokens()
        return _with_selection(after)


@dataclass(frozen=True, eq=False)
class Follow:
    """Show the latest states of the sides; if they cannot be compared, `stale` is the reason."""

    sides: Mapping[str, Side]
    may_wait: str = ""

    def apply(self, now: PairState) -> PairState:
        """Return the state with the latest sides."""
        latest = {**now.latest, **self.sides}
        try:
            after = now.evolve(sides=latest, latest=latest, stale="")
            stack = now.stack if now.stack in after.offers else next(iter(after.offers))
            layer, head = after.offers[stack].nearest(now.layer, now.head)
            after = after.evolve(stack=stack, layer=layer, head=head)
            after.check_tokens()
            return _with_selection(after)
        except (TypeError, ValueError) as error:
            return now.evolve(latest=latest, stale=f"Shown is what was there before: {error}")


def _with_selection(now: PairState) -> PairState:
    """Return the state without a selection that its maps do not have."""
    at, shape = now.selection, now.aligned.a.shape
    is_gone = at is not None and (at[0] >= shape[0] or at[1] >= shape[1])
    return now.evolve(selection=None) if is_gone else now


class Comparison(Store[PairState]):
    """Two sessions beside each other; what is done in them later is followed.

    Once the last page that displayed the comparison is gone, a change of a session is taken in when
    the state is read or displayed again: a cell that is run again leaves its old comparison behind,
    which nobody looks at.
    """

    def __init__(
        self,
        a: Session,
        b: Session,
        *,
        layer: int | None = None,
        head: int | None = None,
        stack: str | None = None,
        align: str = "token",
        labels: tuple[str, str] | None = None,
        **look: Any,
    ) -> None:
        """Compare `a` and `b`; a choice that is None is that of `a`, if `b` has it too."""
        self._sessions = {"a": a, "b": b}
        sides = {name: Side.of(session.now) for name, session in self._sessions.items()}
        named = None if labels is None else _two(labels)
        now = PairState(sides, sides, named)
        shown_layer, shown_head, shown_stack = sides["a"].shown
        if stack is None:
            stack = shown_stack if shown_stack in now.offers else next(iter(now.offers))
        stack = choice("stack", stack, tuple(now.offers))
        offer = now.offers[stack]
        near = offer.nearest(shown_layer, shown_head)[0]
        layer = near if layer is None else index("layer", layer, offer.heads)
        near = offer.nearest(layer, shown_head)[1]
        head = near if head is None else index("head", head, range(offer.heads[layer]))
        align = choice("align", align, ALIGNMENTS)
        now = replace(now, stack=stack, layer=layer, head=head, align=align)
        now.check_tokens()
        for name, value in look.items():
            now = Pick(name, value).apply(now)
        _ = now.aligned
        super().__init__(now)
        self._pages: dict[str, None] = {}
        self._is_left = self._is_closed = False
        sessions = {id(session): session for session in (a, b)}.values()
        self._ends = [session.attach(self) for session in sessions]

    def _next(self, before: PairState, command: Command[PairState]) -> PairState:
        after = command.apply(before)
        if after is before:
            return before
        _ = after.aligned  # raises an error for a head that cannot be shown
        is_as_before = after.sides is before.sides and after.stale != before.stale
        return after if is_as_before else after.evolve(revision=before.revision + 1)

    def close(self) -> None:
        """Stop following the sessions."""
        for end in self._ends:
            end()
        self._is_closed = True

    @property
    def now(self) -> PairState:
        """The state with the present states of the sessions."""
        self._catch_up()
        return self._now

    def display(self, page: str, is_displayed: bool) -> None:
        """Note that `page` displays the comparison, or does so no longer."""
        with self.lock:
            self._pages.pop(page, None)
            if is_displayed:
                self._pages[page] = None
            for oldest in list(self._pages)[:-_PAGES]:
                del self._pages[oldest]
            self._is_left = not self._pages
        if is_displayed:
            self._catch_up()

    def _catch_up(self) -> None:
        """Read the states of the sessions if they have changed since the last reading."""
        if self._is_closed:
            return
        latest, sessions = self._now.latest, self._sessions.items()
        sides = {n: Side.of(s.settled) for n, s in sessions if not latest[n].is_of(s.settled)}
        if sides:
            self.do(Follow(sides))

    # The mirror of the two sessions

    def send_change(self, change: Change[Snapshot]) -> None:
        """Do nothing, because the session holds its lock, and a second lock may deadlock."""

    def tell_change(self, change: Change[Snapshot]) -> None:
        """Follow a session that has changed its map."""
        del change  # an observer may have changed the session again
        if not self._is_left:
            self._catch_up()

    def send_again(self) -> None:
        """Do nothing, because `send_change` sends nothing."""


def _two(labels: Any) -> tuple[str, str]:
    pair = tuple(labels) if isinstance(labels, (list, tuple)) else ()
    if len(pair) != 2 or not all(isinstance(label, str) for label in pair):
        raise TypeError(f"labels: got {labels!r}, want two names")
    return pair
