"""The maps of heads that were knocked out, by the rules of `attnwidget.capture.edited_rows`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.capture.edited_rows import Edits, edit_rows
from attnwidget.capture.heads import head_inputs
from attnwidget.maths.attention import softmax
from attnwidget.sources.inputs import HeadInputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.capture.records import Call


def edited_inputs(
    call: Call, locked: NDArray[np.bool_] | None, head: int, has_sink: bool
) -> HeadInputs:
    """Return the inputs of a head of an edited call.

    Cells with a score of -inf ("remove") are locked, as the model's own mask. Weights that are
    changed after the softmax are given as they are, without Q and K.
    """
    import torch

    inputs = head_inputs(call, locked, head, has_sink)
    edits = Edits([edit for edit in call.edits if edit.head in {None, head}])
    if not edits.knockouts:
        return inputs
    n_q, n_k = call.shape[1:]
    hidden = np.zeros(inputs.shape, bool) if inputs.locked is None else inputs.locked.copy()
    removed = edits.cells("remove", torch.arange(n_q), n_k)
    if removed is not None:
        hidden[:, :n_k] |= removed.numpy()
    if all(edit.kind == "remove" for edit in edits.knockouts):
        hidden.setflags(write=False)
        return replace(inputs, locked=hidden)
    scores = inputs.scores(np.float32)
    weights = softmax(scores, hidden, out=np.empty_like(scores))
    shown = torch.from_numpy(
        np.where(False if inputs.locked is None else inputs.locked, -np.inf, scores)
    )
    sink = shown[:, n_k:]

    def rows_of(_texts: slice, _head: int, rows: Any) -> Any:
        return shown[rows, :n_k][None]

    def put(_texts: slice, _head: int, rows: Any, edited: Any) -> None:
        weights[rows.numpy(), :n_k] = edited[0].numpy()

    alone = Edits([replace(edit, head=None) for edit in edits.knockouts])
    edit_rows(
        rows_of,
        (1, 1, n_q, n_k),
        [alone],
        shown.device,
        sink[:1, 0] if sink.shape[1] and torch.isfinite(sink[:1]).all() else None,
        put,
    )
    weights.setflags(write=False)
    hidden.setflags(write=False)
    return HeadInputs(None, None, inputs.V, 1.0, locked=hidden, weights=weights)
