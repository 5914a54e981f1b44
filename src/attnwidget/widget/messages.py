"""The questions of a page and their answers: documents, the grid of heads, lines of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.bertviz.of_source import bertviz_document
from attnwidget.export.figure import figure_file
from attnwidget.maths.strongest import Lines
from attnwidget.maths.thumbnails import make_grid, parts
from attnwidget.maths.validate import choice, index
from attnwidget.session.every_head import maps_of_one_mask
from attnwidget.session.maps import HeadMaps
from attnwidget.session.size import cells
from attnwidget.sources.api import stack_layers
from attnwidget.sources.picking import pick
from attnwidget.wire.answers import Message, grid_message, lines_message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.api import Source
    from attnwidget.sources.inputs import HeadInputs

# Bytes of an answer that go with the first state, and stay in a saved notebook: a page that does
# not have to ask draws a quarter sooner.
_EARLY_BYTES = 1_000_000


def answer(now: Snapshot, question: dict[str, Any]) -> Message:
    """Return the answer to a page's `question` about the state `now`.

    A state and its source never change, so no lock is held while maps are computed. Raises
    TypeError or ValueError in words for whoever asked.
    """
    kind = choice("type", question.get("type"), tuple(ANSWERS))
    return ANSWERS[kind](now, question)


def asks_at_once(now: Snapshot) -> bool:
    """Whether a page asks for the lines of this state at once.

    The page of a new widget does, and a page asks at each token of a generation, whose cell would
    answer at its end alone.
    """
    is_generating = now.generated is not None and now.generated.state == "running"
    return (now.revision == 1 or is_generating) and now.view == "lines" and now.source.is_model


def early_answer(now: Snapshot) -> dict[str, Any] | None:
    """Return the answer to what a page asks at once, with the question; None if it asks nothing."""
    if not asks_at_once(now):
        return None
    asked = {"type": "lines", "layer": now.layer, "stack": now.source.stack}
    try:
        content, buffers = _lines(now, asked)
    except Exception:  # the page will ask, and hear why
        return None
    if sum(part.nbytes for part in buffers) > _EARLY_BYTES:
        return None
    return {"asked": asked, "answer": content, "buffers": buffers}


def _bertviz(now: Snapshot, question: dict[str, Any]) -> Message:
    options = {"theme": question.get("theme", "light"), "prettify_tokens": False}
    kind = question.get("kind", "")
    html = bertviz_document(now.source, kind, now.layer, now.head, options)
    return {}, [html.encode()]


def _figure(now: Snapshot, question: dict[str, Any]) -> Message:
    return {}, [figure_file(now, question.get("kind", ""))]


def _source(now: Snapshot, question: dict[str, Any]) -> Source:
    """Return the source of a question: of a `run` and a `stack`, by default those on screen."""
    source = now.source
    if question.get("run") is not None:
        source = source.of_run(now.experiment.of_run(question["run"]))
    stack = question.get("stack", source.stack)
    return source if stack == source.stack else source.of(stack)


def _map(now: Snapshot, question: dict[str, Any]) -> Message:
    """Return the attention of the head on screen in another run, without a mask by hand."""
    weights = _source(now, {"run": question.get("run")}).head(now.layer, now.head)
    attention = HeadMaps(weights, _locked(weights)).attention
    content = {"shown": now.shown, "shape": attention.shape}
    return content, [np.ascontiguousarray(attention, "<f4").tobytes()]


def _locked(inputs: HeadInputs) -> NDArray[np.bool_]:
    return np.zeros(inputs.shape, bool) if inputs.locked is None else inputs.locked


def _lines(now: Snapshot, question: dict[str, Any]) -> Message:
    source = _source(now, question)
    layer = index("layer", question.get("layer"), [each.index for each in stack_layers(source)])
    content, buffers = lines_message(Lines.of(source.maps(layer)))
    return {**content, "layer": layer}, buffers


def _grid(now: Snapshot, question: dict[str, Any]) -> Message:
    source = _source(now, question)
    heads = {each.index: each.n_heads for each in stack_layers(source)}
    every = parts(heads, cells(source))
    part = every[index("part", question.get("part", 0), range(len(every)))]

    together = maps_of_one_mask(now) if source is now.source else None

    def weights(layer: int) -> NDArray:
        if together is not None:
            return together[part.first : part.end]
        try:
            if part.end - part.first == heads[layer]:
                return source.weights(layer)
            some = range(part.first, part.end)
            return np.stack([pick(source, layer, head, None, None) for head in some])
        except ValueError:  # computed as NaN: it is dark among the others
            return np.full((part.end - part.first, 1, 1), np.nan)

    content, buffers = grid_message(make_grid(part.layers, weights, source.tokens))
    return {**content, "first": part.first, "parts": len(every)}, buffers


ANSWERS: Mapping[str, Callable[[Snapshot, dict[str, Any]], Message]] = {
    "bertviz": _bertviz,
    "figure": _figure,
    "grid": _grid,
    "lines": _lines,
    "map": _map,
}
