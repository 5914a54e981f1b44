"""AttentionComparison: the attention of two widgets and what changed, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import traitlets

from attnwidget.session.aligned import TITLE
from attnwidget.session.comparison import Comparison, Pick
from attnwidget.session.session import Session
from attnwidget.widget.field import Field
from attnwidget.widget.store_widget import StoreWidget
from attnwidget.wire.incoming import name_of
from attnwidget.wire.pair_schema import PAIR_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from attnwidget.session.aligned import PairState
    from attnwidget.session.store import Change


class AttentionComparison(StoreWidget):
    """Attention A, attention B and B - A, aligned by token, of the same layer and head.

    Parameters
    ----------
    a, b:
        Widgets of any source. What is masked or set in them later shows here at once.
    layer, head, stack:
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

    store: Comparison
    comparison = traitlets.Bool(True, read_only=True).tag(sync=True)
    stack: Field[str] = Field(PAIR_SCHEMA)
    layer: Field[int] = Field(PAIR_SCHEMA)
    head: Field[int] = Field(PAIR_SCHEMA)
    align: Field[str] = Field(PAIR_SCHEMA)
    cmap: Field[str] = Field(PAIR_SCHEMA)
    color_scale: Field[str] = Field(PAIR_SCHEMA)
    selection: Field[tuple[int, int] | None] = Field(PAIR_SCHEMA)
    title: Field[str] = Field(PAIR_SCHEMA)
    offered: Field[Mapping[str, Any]] = Field(PAIR_SCHEMA)
    rows: Field[tuple[Any, ...]] = Field(PAIR_SCHEMA)
    columns: Field[tuple[Any, ...]] = Field(PAIR_SCHEMA)
    a: Field[NDArray] = Field(PAIR_SCHEMA)
    b: Field[NDArray] = Field(PAIR_SCHEMA)
    masked_a: Field[NDArray] = Field(PAIR_SCHEMA)
    masked_b: Field[NDArray] = Field(PAIR_SCHEMA)
    changes: Field[tuple[tuple[int, int], ...]] = Field(PAIR_SCHEMA)
    peaks: Field[tuple[float, float]] = Field(PAIR_SCHEMA)
    shown: Field[tuple[str, int, int]] = Field(PAIR_SCHEMA)
    labels: Field[tuple[tuple[str, str], ...]] = Field(PAIR_SCHEMA)
    notice: Field[str] = Field(PAIR_SCHEMA)
    revision: Field[int] = Field(PAIR_SCHEMA)

    def __init__(
        self,
        a: StoreWidget,
        b: StoreWidget,
        *,
        layer: int | None = None,
        head: int | None = None,
        stack: str | None = None,
        align: str = "token",
        labels: tuple[str, str] | None = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
    ) -> None:
        for name, widget in (("a", a), ("b", b)):
            if not isinstance(getattr(widget, "store", None), Session):
                raise TypeError(f"{name}: got {type(widget).__name__}, want an AttentionWidget")
        look: dict[str, Any] = {"cmap": cmap, "color_scale": color_scale, "title": title or TITLE}
        sessions: list[Any] = [a.store, b.store]
        store = Comparison(
            *sessions,
            layer=layer,
            head=head,
            stack=stack,
            align=align,
            labels=labels,
            **look,
        )
        # The bundle that draws the widgets draws the comparison.
        bundle = {"_esm": traitlets.Unicode(a._esm), "_css": traitlets.Unicode(a._css)}
        self.add_traits(**{name: trait.tag(sync=True) for name, trait in bundle.items()})
        super().__init__(store)
        self.on_msg(self._hear)

    @property
    def difference(self) -> NDArray:
        """B - A, shaped like `a` and `b`; NaN where one side has no cell, 0 for a masked weight."""
        aligned = self.store.now.aligned
        difference: NDArray = aligned.b - aligned.a
        return difference

    def save_html(self, path: object, **options: object) -> NoReturn:
        """Refuse: a comparison asks Python for the maps of each layer and head."""
        del path, options
        raise NotImplementedError(
            "save_html: a comparison has no page without Python; save each of the two widgets "
            "with its own save_html"
        )

    def close(self) -> None:
        """Stop following the two widgets."""
        if self._detach is not None:
            self.store.close()
        super().close()

    def _hear(self, _widget: object, message: Any, _buffers: object) -> None:
        if not isinstance(message, dict) or message.get("type") != "displayed":
            return
        try:
            page = name_of(message.get("page"))
        except ValueError as error:
            self.error = str(error)
        else:
            self.store.display(page, message.get("on") is True)

    def setting(self, name: str, value: Any) -> Pick:
        """Return the command that sets a field."""
        return Pick(name, value)

    def send_change(self, change: Change[PairState]) -> None:
        """Send what changed, and say what is not up to date."""
        with self.hold_sync():
            super().send_change(change)
            if change.after.stale != change.before.stale:
                self.error = change.after.stale

    def standing_error(self) -> str:
        """Return why the comparison is not up to date, "" where it is."""
        return self.store.now.stale
