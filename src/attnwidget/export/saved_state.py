"""The state of a session that a page without Python carries: every head that fits its bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.export.chunks import Chunks, rounded
from attnwidget.export.page_words import bound, layer_names, mistake_words
from attnwidget.maths.attention import scores
from attnwidget.session.commands import Reset, Set
from attnwidget.sources.api import stack_layers
from attnwidget.wire.pack import pack_layers
from attnwidget.wire.schema import SCHEMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.api import Layer

# What the page reads of each head, and computes from it.
_OF_HEAD = ("Q", "K", "V", "bias", "locked", "row_mass", "output_norms")
_COMPUTED = ("scores", "mask", "attention", "output")
_OF_SENTENCE = ("embeddings", "key_embeddings", "W_q", "W_k", "W_v")
_OF_STACK = (
    "tokens", "key_tokens", "special", "sentence_b_start", "merge", "hide_special", "subtitle",
    "overridden", "generation",
)  # fmt: skip
# A weight that differs by more is stored with all its digits.
_TOLERANCE = 1e-3


@dataclass
class SavedState:
    """The state for a page, as JSON has it, and what the page lacks.

    `error` is the largest difference between a weight of the page and the weight in Python;
    `missing` names the layers that are not in the page, by stack.
    """

    content: dict[str, Any]
    error: float = 0.0
    missing: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the state as JSON in ASCII, without a `<` that could end a script element."""
        text = json.dumps(self.content, separators=(",", ":"), allow_nan=False)
        return text.replace("<", "\\u003c")


def saved_state(now: Snapshot, budget: int) -> SavedState:
    """Return the state `now` for a page, in at most `budget` characters of JSON.

    The head on screen is always in it, then its layer, the nearest layers of the stack, and
    the other stacks, as far as they fit. If there are several maps, their numbers are rounded to
    65,536 steps for each array.

    Raises
    ------
    ValueError
        If a text is being generated, or the head on screen does not fit.
    """
    if now.generated is not None and now.generated.state == "running":
        raise ValueError("a text is being generated: save the page when it has ended, or call stop")
    writer = _Writer(now, budget)
    writer.add_layers()
    return writer.state()


class _Writer:
    """Gathers heads until the budget is used."""

    def __init__(self, now: Snapshot, budget: int) -> None:
        self._now = now
        self._budget = budget
        self._chunks = Chunks()
        self._notices: list[str] = []
        self._stacks: dict[str, dict[str, Any]] = {}
        self._layers: list[Layer] = []
        self._missing: list[str] = []
        self._error = 0.0
        self._is_rounded = not _is_stacked(now) and (
            len(now.source.layers) > 1 or now.shown_layer.n_heads > 1
        )
        self._common = self._traits()
        self._common["stacks"] = []
        self._add_stack(now)
        self._chunks.close()

    def add_layers(self) -> None:
        """Add the layers, the nearest first, until one does not fit."""
        waiting = list(self._views())
        layers = [layer for layer, _ in waiting]
        for i, (layer, view) in enumerate(waiting):
            # The page has to have room for the names of the layers that may not fit.
            self._missing = self._names(layers[i + 1 :])
            if self._add(layer, view):
                continue
            if i == 0:
                self._add_shown_head(layer)
            else:
                self._missing = self._names(layers[i:])
            return

    def _names(self, layers: Sequence[Layer]) -> list[str]:
        return layer_names(layers, self._now.source.stack)

    def state(self) -> SavedState:
        """Return the state with what was added."""
        content = {
            **self._common,
            "stacks": list(self._stacks.values()),
            "layers": pack_layers(sorted(self._layers, key=self._order)),
            "notices": [self._with_facts(notice) for notice in self._notices],
            "chunks": self._chunks.closed,
        }
        return SavedState(content, self._error, self._missing)

    def _order(self, layer: Layer) -> int:
        every = (*self._now.source.layers, *self._now.source.derived_layers)
        return every.index(layer)

    def _views(self) -> Iterator[tuple[Layer, Snapshot]]:
        """Yield each layer with a state that shows it: the nearest layers of the stack first."""
        now = self._now
        layers = stack_layers(now.source)
        at = [layer.index for layer in layers].index(now.layer)
        for layer in [layers[i] for i in sorted(range(len(layers)), key=lambda i: abs(i - at))]:
            view = _with("layer", layer.index, now)
            if view is not None:
                yield layer, view
        derived = {layer.stack for layer in now.source.derived_layers}
        for stack in now.source.stacks:
            if stack in derived or stack == now.source.stack:
                continue
            other = _with("stack", stack, now)
            for layer in () if other is None else stack_layers(other.source):
                view = _with("layer", layer.index, other)
                if view is not None:
                    yield layer, view

    def _add(self, layer: Layer, view: Snapshot, heads: Sequence[int] | None = None) -> bool:
        """Add heads of a layer; return False, and add nothing, where they do not fit."""
        before = dict(self._stacks), self._error, len(self._notices)
        stack = self._add_stack(view)
        some = range(layer.n_heads) if heads is None else heads
        views = [_with("head", head, view) for head in ([view.head] if _is_stacked(view) else some)]
        records = [self._head(view) for view in views if view is not None]
        self._chunks.close()
        self._stacks[stack["stack"]] = {**stack, "heads": [*stack["heads"], *records]}
        self._layers.append(layer)
        if len(self.state().text()) <= self._budget:
            return True
        self._layers.pop()
        self._stacks, self._error = before[0], before[1]
        del self._notices[before[2] :]
        self._chunks.discard()
        return False

    def _add_shown_head(self, layer: Layer) -> None:
        now = self._now
        if not self._add(layer, now, [now.head]):
            self._budget, budget = 2**62, self._budget
            self._add(layer, now, [now.head])
            need = len(self.state().text()) - budget
            raise TooLargeError(need)

    def _add_stack(self, view: Snapshot) -> dict[str, Any]:
        name = view.source.stack
        if name not in self._stacks:
            self._stacks[name] = {
                "stack": name,
                "traits": {key: _json(SCHEMA[key].packed(view)) for key in _OF_STACK},
                "own": self._chunks.place(view.own),
                # Without the column of a sink.
                "keys": view.source.weights(view.layer, view.head, [0]).shape[-1],
                "presets": dict(view.presets),
                "heads": [],
            }
        return self._stacks[name]

    def _head(self, view: Snapshot) -> dict[str, Any]:
        """Return a head as the page reads it."""
        inputs = view.inputs
        arrays = {name: SCHEMA[name].read(view) for name in _OF_HEAD}
        arrays["weights"] = inputs.weights
        kept = {name: array for name, array in arrays.items() if array is not None}
        is_rounded, error = self._is_rounded, 0.0
        if is_rounded:
            error = _rounding_error(view)
            is_rounded = error <= _TOLERANCE
        self._error = max(self._error, error if is_rounded else 0.0)
        return {
            "layer": view.layer,
            "head": view.head,
            # Given weights are exact, because a mask may divide small weights by a small sum.
            "arrays": {
                k: self._chunks.place(a, rounded=is_rounded and k != "weights")
                for k, a in kept.items()
            },
            "softcap": inputs.softcap,
            "scale": float(inputs.scale),
            "temperature": float(inputs.temperature),
            "notices": [self._notice(view, full) for full in (False, True)],
        }

    def _notice(self, view: Snapshot, is_masked: bool) -> int:
        """Return the place of the notice of a head, without or with a mask by hand."""
        words = view.evolve(own=np.full(view.own.shape, is_masked), aside={}).notice
        if words not in self._notices:
            self._notices.append(words)
        return self._notices.index(words)

    def _with_facts(self, notice: str) -> str:
        """Return a notice with what a reader of the page has to know of the numbers."""
        facts = []
        if self._missing:
            facts.append(
                f"Not in this page, because they need more bytes: {', '.join(self._missing)}."
            )
        shown = stack_layers(self._now.source)
        if len(self._layers) == 1 and len(self._stacks) == 1 and not _is_stacked(self._now):
            (stack,) = self._stacks.values()
            if len(stack["heads"]) == 1 and shown[0].n_heads > 1:
                facts.append("The other heads of the layer are not in this page.")
        if self._is_rounded:
            facts.append(
                f"Weights in this page differ from Python's by at most {bound(self._error)}."
            )
        # The line on the card is short, and what is missing is not seen elsewhere.
        return " ".join([*facts, notice]).strip()

    def _traits(self) -> dict[str, Any]:
        """Return what is the same for every head."""
        now = self._now
        left_out = {*_OF_HEAD, *_COMPUTED, *_OF_SENTENCE, "layers", "notice"}
        traits = {
            n: self._portable(row.packed(now)) for n, row in SCHEMA.items() if n not in left_out
        }
        for name in _OF_SENTENCE:
            array = SCHEMA[name].read(now)
            traits[name] = None if array is None else self._chunks.place(array)
        traits |= {"bertviz_views": [], "derived_layers": [], "history": [0, 0], "error": ""}
        if now.mistake is not None:
            traits["report"] = None  # the page makes the report of a mistake
        return {
            "format": 1,
            "traits": traits,
            "original": self._original(),
            "mistakes": mistake_words() if now.inputs.Q is not None else [],
            "css": "",
        }

    def _original(self) -> dict[str, Any] | None:
        """Return the numbers that "reset numbers" brings back, None if it needs Python."""
        now, before = self._now, Reset().apply(self._now)
        names = (*_OF_SENTENCE, "Q", "K", "V")
        pairs = {n: (SCHEMA[n].read(now), SCHEMA[n].read(before)) for n in names}
        if before is now:
            return {}
        if now.source.replaced or any(
            (a is None) != (b is None) or (a is not None and a.shape != b.shape)
            for a, b in pairs.values()
        ):
            return None
        return {
            name: self._chunks.place(b)
            for name, (a, b) in pairs.items()
            if b is not None and not np.array_equal(a, b)
        }

    def _portable(self, value: Any) -> Any:
        """Return a value of the wire with its arrays placed in the open chunk."""
        if isinstance(value, Mapping):
            if "data" in value and "dtype" in value:
                raw = np.frombuffer(value["data"], np.dtype(value["dtype"]))
                return self._chunks.place(raw.reshape(value["shape"]))
            return {key: self._portable(part) for key, part in value.items()}
        return _json(value)


class TooLargeError(ValueError):
    """The head on screen does not fit; `by` is how many characters there are too many."""

    def __init__(self, by: int) -> None:
        super().__init__(f"the head on screen needs {by:,} bytes more")
        self.by = by


def _with(name: str, value: Any, now: Snapshot | None) -> Snapshot | None:
    """Return the state that shows another stack, layer or head; None if it cannot be shown."""
    if now is None:
        return None
    try:
        after = Set(name, value).apply(now)
        _ = after.maps
    except ValueError:  # inputs that were not captured, or a map too large for a page
        return None
    return after


def _is_stacked(now: Snapshot) -> bool:
    """Whether all heads of a sentence are in the arrays together."""
    return now.inputs.Q is not None and now.inputs.Q.ndim > 2


def _rounding_error(view: Snapshot) -> float:
    """Return how far a weight of the page may be from the weight in Python, under any mask.

    If each score of a row, divided by the temperature, differs by at most δ, then the softmax over
    any of the keys differs by at most tanh(δ / 2). The weight of a key is the logistic function of
    a difference: the key's score minus the log-sum-exp of the other scores. The difference changes
    by at most 2δ, and the logistic function is steepest at 0. Given weights are not rounded.
    """
    inputs = view.inputs
    if inputs.weights is not None:
        return 0.0
    bias = None if inputs.bias is None else rounded(inputs.bias)
    if inputs.Q is None or inputs.K is None:
        assert bias is not None
        logits: NDArray = bias
    else:
        Q, K = rounded(inputs.Q), rounded(inputs.K)
        logits = scores(Q, K, scale=inputs.scale, softcap=inputs.softcap, bias=bias)
    right = inputs.scores(np.float64)
    differs = np.isfinite(right) | np.isfinite(logits)
    most = float(np.abs(np.subtract(logits, right, where=differs, out=np.zeros(right.shape))).max())
    return float(np.tanh(most / inputs.temperature / 2)) if inputs.temperature else 1.0


def _json(value: Any) -> Any:
    """Return a value of the wire as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value
