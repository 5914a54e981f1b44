"""What a page shows, as messages: a grid of heads, lines of a layer, a report, a generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.wire.pack import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.lessons.report import Report
    from attnwidget.maths.strongest import Lines
    from attnwidget.maths.thumbnails import Grid
    from attnwidget.sources.generation import Generation

# The content of a message, which is JSON, and its buffers.
Message = tuple[dict[str, Any], list[Any]]


def grid_message(grid: Grid) -> Message:
    """Return a grid of heads; the one buffer is the maps."""
    packed = pack(grid.maps)
    assert packed is not None
    content = {
        "layers": list(grid.layers),
        "shape": list(grid.maps.shape),
        "peaks": _json_rows(grid.peaks),
        "statistics": {name: _json_rows(v) for name, v in grid.statistics.items()},
        "without_sink": {name: _json_rows(v) for name, v in grid.without_sink.items()},
    }
    return content, [packed["data"]]


def lines_message(lines: Lines) -> Message:
    """Return the lines of a layer.

    The buffers are weights, rest and, where not all keys are there, keys. A weight is a share of
    the largest, `peak`, in 65535 steps: half of float32's bytes, finer than what is written. A key
    has `key_bytes` bytes, 2 where the content does not say it.
    """
    peak = float(np.nan_to_num(lines.weights).max(initial=0)) or 1.0
    content: dict[str, Any] = {"shape": list(lines.keys.shape), "n_k": lines.n_k, "peak": peak}
    # The share of a NaN is 0.
    steps = np.rint(np.nan_to_num(lines.weights) * np.float32(65535 / peak))
    arrays = [steps.astype("<u2"), lines.rest.astype("<f4")]
    if lines.keys.shape[-1] < lines.n_k:
        arrays.append(lines.keys.astype(lines.keys.dtype.newbyteorder("<")))
        if lines.keys.dtype.itemsize != 2:
            content["key_bytes"] = lines.keys.dtype.itemsize
    return content, [np.ascontiguousarray(a).reshape(-1).view(np.uint8).data for a in arrays]


def report_message(report: Report) -> dict[str, Any]:
    """Return a report, its maps packed."""
    # A number beyond float32 goes as infinite.
    with np.errstate(over="ignore"):
        maps = {
            "mask": pack(report.mask),
            "expected": pack(report.expected),
            "got": pack(report.got),
            "scores": pack(report.scores),
            "weights": pack(report.weights),
        }
    words = {
        "kind": report.kind,
        "name": report.name,
        "message": report.message,
        "case": report.case,
        "step": report.step,
        "wrong": report.wrong,
        "right": report.right,
    }
    return {**words, "revision": report.revision, **maps}


def _json_rows(values: NDArray) -> list[list[float | None]]:
    """Return a matrix as JSON has it: null where there is no number."""
    return [[None if np.isnan(v) else float(v) for v in row] for row in values]


def generation_message(generation: Generation | None) -> dict[str, Any] | None:
    """Return the generated text of a map; the key of a generation is there while it runs."""
    if generation is None:
        return None
    return {
        "prompt": generation.prompt,
        "tokens": list(generation.tokens),
        "probabilities": [None if p is None else round(p, 6) for p in generation.probabilities],
        "state": generation.state,
        "first": list(generation.first),
        "key": generation.key if generation.state == "running" else "",
    }
