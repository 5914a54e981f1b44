"""`scan`: the effect of every knock-out of a kind on a number of a model's output."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import size
from attnwidget.search.grid import Grid, grid_of
from attnwidget.search.result import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from attnwidget.capture.source import ModelSource

# Called with the number of knock-outs that are measured, and the number of all.
Progress = Callable[[int, int], None]


def scan(
    model: PreTrainedModel,
    inputs: Any,
    target: Any,
    over: str = "heads",
    kind: str = "remove",
    *,
    tokenizer: Any = None,
    position: int | None = None,
    stack: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    query: int | None = None,
    key: int | None = None,
    batch_index: int = 0,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Measure the effect of every knock-out of a kind on a number of the model's output.

    ``scan(model, "fox bee owl moon fox bee", "owl", tokenizer=tokenizer).values`` is the change of
    the logit of "owl" by each head, (layers, heads), and ``.top(3)`` has the three largest.

    Many knock-outs are measured in one pass, each in a copy of the text. A pass starts at the layer
    that is edited. Each number is that of a pass of its own under `knock_out`, up to rounding.

    Parameters
    ----------
    model:
        A transformers model. It is left as it was found.
    inputs:
        A text, or a pair of texts as a tuple, which needs a `tokenizer`; or the inputs that the
        model is called with. Of a batch, the text `batch_index` is measured.
    target:
        The number that is looked at. A token (its text or its id) is the logit of this token, and a
        pair of tokens is the logit of the first minus the logit of the second, at `position`. "kl"
        is the KL divergence of the prediction at `position` from that of the unedited model. For a
        model that returns classes, the name or the number of a class is the logit of the class. A
        function gets the model's outputs, and returns a number, or a number for each text.
    over:
        "heads", "layers", "keys" (a key is a column of the map) or "edges" (a cell of the map).
    kind:
        "remove", "zero", "mean" or "first", as in `knock_out`.
    position:
        The position whose logits are read. None is the last token, or the mask of a masked language
        model.
    stack, layer, head, query, key:
        Limits of each knock-out; None stands for all. `stack` is the name of a stack, None for the
        first stack of the model.
    batch_size:
        How many copies of the text are in a pass; None chooses a number by the length of the text.
        Where the memory does not suffice, it is halved.
    progress:
        Called with the number of knock-outs measured so far, and the number of all.

    Returns
    -------
    Scan
        The effects as an array with labels. An interrupt (Ctrl+C), or too little memory, ends the
        scan. What was measured is kept, the rest is NaN, and `ended` says so.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or the attention of the model cannot be edited.
    """
    from attnwidget.capture.source import ModelSource
    from attnwidget.capture.unwrap import unwrapped

    model, tokenizer = unwrapped(model, tokenizer)
    is_text = isinstance(inputs, (str, tuple))
    text, inputs = (inputs, None) if is_text else (None, inputs)
    source: Any = ModelSource.capture(
        model, tokenizer, text, inputs=inputs, batch_index=batch_index
    )
    source = source if stack is None else source.of(stack)
    limits = {"layer": layer, "head": head, "query": query, "key": key}
    return scan_source(
        source, target, over, kind, limits, position, batch_size=batch_size, progress=progress
    )


def scan_source(
    source: ModelSource,
    target: Any,
    over: str,
    kind: str,
    limits: dict[str, Any],
    position: Any = None,
    *,
    batch_size: int | None = None,
    progress: Progress | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Scan:
    """Scan the model of a source on the text of the source; see `scan`.

    `is_stopped` is asked between two passes, and ends the scan as an interrupt does.
    """
    from dataclasses import replace

    from attnwidget.search.passes import one_text, passes

    copies = None if batch_size is None else size("batch_size", batch_size)
    source = source.reset()
    grid = grid_of(source, over, kind, **limits)
    reading = replace(source.reading, inputs=one_text(source.model, source.reading), row=0)
    start = time.perf_counter()
    with passes(source.model, reading, target, position, copies) as edited:
        values, ended = _measured(grid, edited, progress, is_stopped)
        return Scan(
            over=grid.over,
            kind=kind,
            target=edited.target.words,
            baseline=edited.baseline,
            values=values,
            axes=grid.axes,
            labels=grid.labels,
            knockouts=grid.knockouts,
            masked=grid.masked,
            ended=ended,
            seconds=time.perf_counter() - start,
        )


def _measured(
    grid: Grid, edited: Any, progress: Progress | None, is_stopped: Callable[[], bool]
) -> tuple[NDArray[np.float64], str]:
    """Return the effect of each cell, NaN where the scan ended before, and why it ended."""
    from attnwidget.search.passes import is_memory

    values = np.full(grid.shape, np.nan)
    values[grid.masked] = 0.0
    cells = grid.to_measure()
    edits = [edit for cell in cells if (edit := grid.knockouts[cell]) is not None]
    done, baseline, ended = 0, edited.baseline, ""
    try:
        for count, numbers in edited.effects(edits):
            values.flat[cells[done : done + count]] = numbers - baseline
            done += count
            if progress is not None:
                progress(done, len(cells))
            if done < len(cells) and is_stopped():
                ended = "stopped"
                break
    except KeyboardInterrupt:
        ended = "interrupted"
    except Exception as error:
        if not is_memory(error):
            raise
        ended = "out of memory"
    return values, ended if done < len(cells) else ""
