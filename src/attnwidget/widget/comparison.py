"""AttentionComparison: two widgets' attention and what changed, side by side."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from attnwidget.maths.alignment import ALIGNMENTS, align, check_common, matched, spread
from attnwidget.maths.validate import cell, choice, index
from attnwidget.session.pair import Offer, Side, edit_notes, largest_changes, names, offers, peak
from attnwidget.widget.fields import Array, Checked
from attnwidget.widget.guard import RefusedTypeError, RefusedValueError, exclusive
from attnwidget.widget.showing import AttentionShown
from attnwidget.widget.traits import CMAPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_TITLE = "Attention compared"
_PICKED = ("kind", "layer", "head", "align")
_CHOICES = {"align": ALIGNMENTS, "cmap": CMAPS, "color_scale": ("unit", "map")}


def _told(trait: Any) -> Any:
    return trait.tag(sync=True, echo_update=False)


class _Title(traitlets.Unicode):
    """A title; None stands for the usual one."""

    def validate(self, obj: Any, value: Any) -> Any:
        return super().validate(obj, _TITLE if value is None else value)


class AttentionComparison(anywidget.AnyWidget):
    """Attention A, attention B and B - A, aligned by token, of the same layer and head.

    Parameters
    ----------
    a, b:
        Widgets of any source. What is masked or set in them later shows here at once.
    layer, head, kind:
        What to begin with; what `a` shows, where `b` has it too, if None.
    align:
        "token" pairs equal tokens and leaves gaps for the others, "position" pairs the first with
        the first. Queries and keys are aligned each on their own.
    labels:
        What A and B are called; their titles, models or texts where None.
    title:
        The head line.
    cmap, color_scale:
        Colours of A and B, from 0 to 1 ("unit") or to the larger maximum of the two ("map").

    Raises
    ------
    TypeError, ValueError
        For what is no AttentionWidget, has no layer or no token in common, or isn't offered.
    """

    comparison = _told(traitlets.Bool(True, read_only=True))
    kind = Checked("")
    layer = Checked(0)
    head = Checked(0)
    align = Checked("token")
    cmap = Checked("viridis")
    color_scale = Checked("unit")
    selection = Checked(None)

    offered: Any = Checked({}, read_only=True)
    rows: Any = Checked((), read_only=True)
    columns: Any = Checked((), read_only=True)
    a: Any = Array(read_only=True)
    b: Any = Array(read_only=True)
    masked_a: Any = Array(read_only=True)
    masked_b: Any = Array(read_only=True)
    changes: Any = Checked((), read_only=True)
    peaks = Checked((1.0, 0.0), read_only=True)
    shown = Checked((), read_only=True)
    labels = Checked((), read_only=True)
    title = _told(_Title(_TITLE))
    notice = _told(traitlets.Unicode(read_only=True))
    error = _told(traitlets.Unicode())
    revision = _told(traitlets.Int(0, read_only=True))

    # Both are asked for before, and without, the end of __init__.
    _following: tuple[AttentionShown, ...] = ()
    _picked: tuple[Any, ...] = ()

    def __init__(
        self,
        a: AttentionShown,
        b: AttentionShown,
        *,
        layer: int | None = None,
        head: int | None = None,
        kind: str | None = None,
        align: str = "token",
        labels: tuple[str, str] | None = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
    ) -> None:
        for name, widget in (("a", a), ("b", b)):
            if not isinstance(widget, AttentionShown):
                raise TypeError(f"{name}: got {type(widget).__name__}, want an AttentionWidget")
        self._mutex = threading.RLock()
        self._widgets = {"a": a, "b": b}
        self._stale = ""
        self._sides = self._latest = {
            name: Side.of(widget) for name, widget in self._widgets.items()
        }
        self._named = None if labels is None else _two(labels)
        self._offers = self._common()
        if kind is None:
            kind = a.kind if a.kind in self._offers else next(iter(self._offers))
        kind = choice("kind", kind, tuple(self._offers))
        offer = self._offers[kind]
        near = offer.nearest(a.layer, a.head)
        layer = near[0] if layer is None else index("layer", layer, offer.heads)
        head = offer.nearest(layer, a.head)[1] if head is None else head
        head = index("head", head, range(offer.heads[layer]))
        by = choice("align", align, ALIGNMENTS)
        self._check_tokens(offer, by)
        self._refresh(kind, layer, head, by)
        self.set_trait("cmap", cmap)
        self.set_trait("color_scale", color_scale)
        if title is not None:
            self.title = title
        # It is drawn by the very bundle that draws the widgets.
        own = {"_esm": traitlets.Unicode(a._esm), "_css": traitlets.Unicode(a._css)}
        self.add_traits(**{name: trait.tag(sync=True) for name, trait in own.items()})
        super().__init__()
        for widget in {id(one): one for one in (a, b)}.values():
            # It counts every change of the maps, when all of it is in place.
            widget.observe(self._changed, "revision")
            self._following = (*self._following, widget)

    def close(self) -> None:
        """Stop following the two widgets."""
        following, self._following = self._following, ()
        for widget in following:
            widget.unobserve(self._changed, "revision")
        super().close()

    @property
    def difference(self) -> NDArray[np.float32]:
        """B - A, shaped like `a` and `b`; NaN where one side has no cell, 0 for a masked weight."""
        with self._mutex:
            return self.b - self.a

    # What is shown

    def _common(self) -> dict[str, Offer]:
        return offers(self._sides["a"], self._sides["b"])

    def _tokens(self, offer: Offer) -> list[tuple[Sequence[str], Sequence[str]]]:
        """Return the queries of A and B, then the keys."""
        of_a = self._sides["a"].tokens(offer.kind_a)
        of_b = self._sides["b"].tokens(offer.kind_b)
        return list(zip(of_a, of_b, strict=True))

    def _check_tokens(self, offer: Offer, by: str) -> None:
        for what, (a, b) in zip(("query", "key"), self._tokens(offer), strict=True):
            check_common(a, b, by, what)

    @exclusive
    def _refresh(self, kind: str, layer: int, head: int, by: str) -> None:
        """Set every trait that follows from the two sides and what is picked, in one message."""
        sides, offer = self._sides, self._offers[kind]
        kinds = {"a": offer.kind_a, "b": offer.kind_b}
        (a_rows, b_rows), (a_columns, b_columns) = self._tokens(offer)
        rows = align(a_rows, b_rows, by)
        columns = align(a_columns, b_columns, by)
        named = self._named or names(sides["a"], sides["b"], (a_rows, b_rows))
        values: dict[str, Any] = {
            "offered": {
                "kind": list(self._offers),
                "layer": list(offer.heads),
                "head": list(range(offer.heads[layer])),
            },
            "rows": rows,
            "columns": columns,
            "shown": (kind, layer, head),
            "labels": (("A", named[0]), ("B", named[1]), ("B − A", "what changed")),
        }
        for name, side in sides.items():
            weights, mask = side.maps(kinds[name], layer, head)
            weights = weights.astype(np.float32)
            aligned = _frozen(spread(weights, rows, columns, name, np.nan))
            # NaN equals nothing: what stayed as it was is not sent again.
            same = np.array_equal(aligned, getattr(self, name), equal_nan=True)
            values[name] = getattr(self, name) if same else aligned
            values[f"masked_{name}"] = _frozen(spread(mask, rows, columns, name, False))
        change = values["b"] - values["a"]
        values["changes"] = largest_changes(change)
        doubts = {name: side.source.doubt for name, side in sides.items()}
        notes = [f"{name.upper()}: {doubt}" for name, doubt in doubts.items() if doubt]
        notes += [*matched(rows, columns), *offer.notes, *edit_notes(sides, kinds, layer, head)]
        if not values["changes"]:
            notes.append("A and B are equal wherever both have a cell.")
        values["notice"] = " ".join(notes)
        self._picked = (kind, layer, head, by)
        with self.hold_sync():
            for name, value in values.items():
                self.set_trait(name, value)
            for name, value in zip(_PICKED, self._picked, strict=True):
                self.set_trait(name, value)
            if self.selection and not _inside(self.selection, self.a.shape):
                self.set_trait("selection", None)
            self._redraw()

    @traitlets.observe("cmap", "color_scale", "title")
    def _redraw(self, _event: Any = None) -> None:
        """Say where the colours end, and that the page has something to draw."""
        if self.a is None:
            return
        with self.hold_sync():
            top = peak(self.a, self.b) if self.color_scale == "map" else 0.0
            self.set_trait("peaks", (top or 1.0, peak(self.b - self.a)))
            self.set_trait("revision", self.revision + 1)

    # What changes

    def _changed(self, event: Any) -> None:
        """Take in what one of the widgets shows now.

        Only the widget that speaks is locked, before this one: nobody waits in a circle.
        """
        taken = {n: Side.of(w) for n, w in self._widgets.items() if w is event["owner"]}
        with self._mutex:
            before = self._sides, self._offers
            self._sides = self._latest = {**self._latest, **taken}
            try:
                self._offers = self._common()
                kind, layer, head, by = self._picked
                kind = kind if kind in self._offers else next(iter(self._offers))
                offer = self._offers[kind]
                self._check_tokens(offer, by)
                self._refresh(kind, *offer.nearest(layer, head), by)
                self._stale = ""
            except (TypeError, ValueError) as error:
                self._sides, self._offers = before
                self._stale = f"Shown is what was there before: {error}"
            self.error = self._stale

    @traitlets.observe(*_PICKED)
    def _pick(self, _event: Any) -> None:
        kind, layer, head, by = (getattr(self, name) for name in _PICKED)
        if (kind, layer, head, by) == self._picked:
            return
        self._refresh(kind, *self._offers[kind].nearest(layer, head), by)

    @traitlets.validate(*_PICKED, "cmap", "color_scale", "selection")
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            return self._checked(name, value)
        # As TraitErrors too, for traitlets takes a group of values back on no other error.
        except TypeError as error:
            raise RefusedTypeError(str(error)) from None
        except ValueError as error:
            raise RefusedValueError(str(error)) from None

    def _checked(self, name: str, value: Any) -> Any:
        if name in _PICKED and self._picked and value is self._picked[_PICKED.index(name)]:
            return value  # `_refresh` sets one after the other what was checked together
        if name == "selection":
            return None if value is None else cell(name, value, self.a.shape)
        if name in _CHOICES:
            value = choice(name, value, _CHOICES[name])
            if name == "align":
                self._check_tokens(self._offers[self.kind], value)
            return value
        kind = choice("kind", value if name == "kind" else self.kind, tuple(self._offers))
        offer = self._offers[kind]
        if name == "kind":
            self._check_tokens(offer, self.align)
        if name == "layer":
            index("layer", value, offer.heads)
        layer, head = offer.nearest(value if name == "layer" else self.layer, self.head)
        if name == "head":
            head = index("head", value, range(offer.heads[layer]))
        for side, of in (("a", offer.kind_a), ("b", offer.kind_b)):
            self._sides[side].source.of(of).head(layer, head)  # raises for what can't be shown
        return value

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take the browser's state; what can't be taken is said in `error`, and taken back."""
        try:
            with self._mutex:
                super().set_state(sync_data)
                if "error" not in sync_data:
                    self.error = self._stale  # what was refused before is past
        except Exception as error:
            known = isinstance(error, (traitlets.TraitError, ValueError))
            self.error = str(error) if known else f"{type(error).__name__}: {error}"
            self.log.debug("the browser's state was refused", exc_info=True)
            self.send_state([name for name in sync_data if name in self.keys])


def _two(labels: Any) -> tuple[str, str]:
    found = tuple(labels) if isinstance(labels, (list, tuple)) else ()
    if len(found) != 2 or not all(isinstance(label, str) for label in found):
        raise TypeError(f"labels: got {labels!r}, want two names")
    return found


def _frozen(array: NDArray) -> NDArray:
    array.flags.writeable = False
    return array


def _inside(at: tuple[int, int], shape: tuple[int, int]) -> bool:
    return at[0] < shape[0] and at[1] < shape[1]
