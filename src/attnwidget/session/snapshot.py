"""`Snapshot`: a state of a session, and the maps and numbers computed from the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnwidget.bertviz.of_source import bertviz_views
from attnwidget.lessons.report import Report
from attnwidget.maths.effects import output_shift
from attnwidget.session.experiment import Experiment
from attnwidget.session.history import History, Step
from attnwidget.session.maps import HeadMaps
from attnwidget.session.size import size_notice
from attnwidget.sources.api import axes, stack_layers
from attnwidget.sources.generation import first_generated
from attnwidget.sources.knockouts import named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.api import HeadInputs, Layer, Source
    from attnwidget.sources.generation import Generation

T = TypeVar("T")

_DERIVED = "A click is a what-if on this map alone."
_WHAT_IF = "A masked cell is a what-if on its head."
# What is known of the weights of a model's layer, by whether they are proved.
_AS_COMPUTED = {
    True: "As the model computed it. ",
    False: "",
    None: "As read inside the model. The output was not captured, so the weights are not proved. ",
}
_NOT_RE_RUN = "What-if on this head alone: the model itself has not been re-run."


class computed(cached_property[T]):  # noqa: N801
    """A property that is computed when it is first read, from some fields of the state.

    A state that has the same fields takes the value over.
    """

    def __init__(self, function: Callable[[Any], T], fields: frozenset[str]) -> None:
        super().__init__(function)
        self.fields = fields


def computed_from(*names: str) -> Callable[[Callable[[Any], T]], computed[T]]:
    """Return a decorator that makes a `computed` property of a method; `names` are its fields."""
    return lambda function: computed(function, frozenset(names))


# The fields that select the head on screen, and the fields that its maps depend on.
_HEAD = ("source", "layer", "head")
_MAP = (*_HEAD, "own")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """An immutable state. Computed properties are computed when they are first read.

    `own` (n_q, n_k) is what is masked by `presets` and by hand, without what the source itself
    masks; `aside` has the masks and presets of the axes that are not on screen. `checked` is the
    report of a checked function, `mistake` the name of a mistake that is switched on. `generated`
    is the text that a model generates, as far as the model has come. `is_large`
    says that maps of any size may go to a page. `heads_on` are the heads that the lines show, None
    for all of them. `experiment` has the knock-outs of a model. `kept` are the runs of the steps of
    a training, in their order.
    """

    source: Source
    layer: int
    head: int
    own: NDArray[np.bool_]
    presets: Mapping[str, Any]
    aside: Mapping[Any, tuple[NDArray[np.bool_], Mapping[str, Any]]] = field(default_factory=dict)
    history: History = field(default_factory=History)
    revision: int = 1
    is_large: bool = False
    view: str = "heatmap"
    cmap: str = "viridis"
    color_scale: str = "auto"
    quantity: str = "attention"
    selection: tuple[int, int] | None = None
    heads_on: tuple[int, ...] | None = None
    grid_order: str = "layer"
    grid_statistic: str = "entropy"
    mistake: str | None = None
    checked: Report | None = None
    generated: Generation | None = None
    title: str = ""
    experiment: Experiment = field(default_factory=Experiment)
    kept: tuple[Source, ...] = ()

    def evolve(self, *, among: NDArray[np.intp] | None = None, **changes: Any) -> Snapshot:
        """Return the state with other fields, and with every computed value that stays the same.

        `among` are the rows in which a new mask `own` can differ, sorted; None for all rows.
        """
        after = replace(self, **changes)
        changed = {n for n in _FIELDS if getattr(after, n) is not getattr(self, n)}
        for name, needed in _COMPUTED.items():
            if name in self.__dict__ and not changed & needed:
                after.__dict__[name] = self.__dict__[name]
        if "maps" in self.__dict__ and changed & _COMPUTED["maps"] == {"own"}:
            after.__dict__["maps"] = self.maps.remasked(after._mask, among)
        return after

    # The map on screen

    @computed_from(*_HEAD)
    def inputs(self) -> HeadInputs:
        """Return the inputs of the map; raise ValueError for a head that cannot be shown."""
        return self.source.head(self.layer, self.head)

    @computed_from(*_MAP)
    def maps(self) -> HeadMaps:
        """Scores, mask, attention and output."""
        return HeadMaps(self.inputs, self._mask)

    @property
    def _mask(self) -> NDArray[np.bool_]:
        locked = self.inputs.locked
        return self.own if locked is None else self.own | locked

    @computed_from(*_HEAD)
    def output_norms(self) -> NDArray | None:
        """‖v W_O‖ of each key, (n_k,); None where W_O is not known."""
        return self.source.output_norms(self.layer, self.head)

    @computed_from(*_MAP)
    def output_shift(self) -> NDArray | None:
        """How far masking each cell would move the output, shaped like the attention.

        None where the map has no V. See `attnwidget.maths.effects.output_shift`.
        """
        maps, inputs = self.maps, self.inputs
        if inputs.V is None or maps.output is None:
            return None
        shift = output_shift(
            maps.attention,
            inputs.V,
            maps.output,
            scores=maps.scores,
            mask=maps.mask,
            temperature=inputs.temperature,
        )
        shift.setflags(write=False)
        return shift

    @computed_from("source", "generated")
    def generation(self) -> Generation | None:
        """Return the generated text, with the place of its tokens in the map; None without."""
        if self.generated is None:
            return None
        first = first_generated(self.source, self.generated.prompt_rows)
        return replace(self.generated, first=first)

    @computed_from("kept")
    def checkpoints(self) -> tuple[int, ...]:
        """Return the steps of a training whose runs are kept."""
        return tuple(source.checkpoint or 0 for source in self.kept)

    @computed_from("source")
    def bertviz_views(self) -> tuple[str, ...]:
        """BertViz's views that the map has."""
        return bertviz_views(self.source)

    @computed_from(*_HEAD)
    def shown(self) -> tuple[int, int, str]:
        """Name the layer, the head and the stack that the maps belong to."""
        return self.layer, self.head, self.source.stack

    @property
    def shown_layer(self) -> Layer:
        """The layer on screen."""
        return next(layer for layer in stack_layers(self.source) if layer.index == self.layer)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_q, n_k) of the map."""
        n_q, n_k = self.own.shape
        return n_q, n_k

    # Sentences on the map

    @computed_from(*_MAP, "aside", "experiment")
    def notice(self) -> str:
        """Return sentences that a reader of the map needs."""
        source, inputs = self.source, self.inputs
        notice = source.notice
        if source.is_derived:
            notice = f"{notice} {_DERIVED}"
        elif source.is_model:
            by_hand = self.own if inputs.locked is None else self.own & ~inputs.locked
            edited = by_hand.any() or not source.is_own(self.layer, self.head)
            words = _NOT_RE_RUN if edited else self._as_computed + _WHAT_IF
            notice = f"{notice} {words}".lstrip()
        notice = f"{notice} {self._mask_elsewhere}".strip()
        layers = stack_layers(source)
        is_alone = inputs.Q is None or inputs.Q.ndim == 2
        several = len(layers) > 1 or (is_alone and layers[0].n_heads > 1)
        return f"{notice} {size_notice(inputs, several)}".strip()

    @property
    def _as_computed(self) -> str:
        """A sentence on what is known of the weights of the layer."""
        run = self.experiment.shown
        if run is None:
            return _AS_COMPUTED[self.shown_layer.proved]
        return f"As the model computed it with knock-outs: {named(run.knockouts)}. "

    @property
    def _mask_elsewhere(self) -> str:
        """A sentence on masked cells of the same stack by other rows, "" if there are none."""
        shown = axes(self.source)
        masked = {key: int(own.sum()) for key, (own, _) in self.aside.items() if key[0] == shown[0]}
        count, other = max(
            ((n, key) for key, n in masked.items() if key != shown), default=(0, shown)
        )
        if not count:
            return ""
        _, unit, hides = other
        where = f"by {unit or 'tokens'}{' without special tokens' if hides else ''}"
        cells = "1 cell is" if count == 1 else f"{count} cells are"
        return f"{cells} masked in the map {where}; each map has a mask of its own."

    @computed_from("history")
    def depth(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return self.history.depth

    @computed_from(*_MAP, "mistake", "checked")
    def report(self) -> Report | None:
        """Report on the mistake that is switched on, or on the function that was checked."""
        if self.mistake is None:
            return self.checked
        return Report.of_mistake(
            self.mistake, self.inputs, self.maps.mask, self.head, self.revision
        )

    @property
    def left_out(self) -> str:
        """A sentence on what a checked function of Q, K and mask cannot compute."""
        inputs = self.inputs
        words = ["the temperature"] if inputs.temperature != 1 else []
        words += ["the softcap of the scores"] if inputs.softcap is not None else []
        if inputs.bias is not None:
            is_alibi = self.source.positional == "alibi"
            words.append("ALiBi's bias" if is_alibi else "the bias that the model adds")
        return f"Compared without {' and '.join(words)}." if words else ""

    # The history

    def step(self) -> Step:
        """Return what undo restores."""
        return Step(
            self.source.of_run(None),
            self.layer,
            self.head,
            self.presets,
            self.aside,
            self.own.shape,
            np.packbits(self.own),
            self.selection,
            self.experiment.knocked_out,
        )

    def recorded(self, stroke: Any = None) -> History:
        """Return the history with this state as the state before an edit."""
        return self.history.recorded(self.step(), stroke)


_FIELDS = tuple(field.name for field in fields(Snapshot))
_COMPUTED = {n: value.fields for n, value in vars(Snapshot).items() if isinstance(value, computed)}
