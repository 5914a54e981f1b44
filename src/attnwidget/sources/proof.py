"""The proof of a captured call: rows of its weights, times V, are what the attention returned.

A lost mask, another scale, a bias, a softcap or a sink that the capture has not understood changes
that product, also in architectures that nobody has tried. The weights come from the very functions
that the card's maps come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.attention import softmax
from attnwidget.sources.calls import Call, hidden
from attnwidget.sources.heads import layer_scores

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

# The first query, the last, and some between; more of a long text, at most one in a hundred.
_FEW, _MOST = 4, 12
# Rounding, in units of the type's precision, for each unit that a score reaches. The weights are
# computed in float32, whatever the model computes in. In half precision the models round scores,
# weights and outputs once each.
_UNITS = {"float64": 16.0, "float32": 16.0, "bfloat16": 1.0, "float16": 2.0}


def proven(
    call: Call,
    returned: Callable[[list[int]], torch.Tensor | None],
    project: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Call:
    """Return `call` with the result of its proof: `proved`, `error` and `bound`.

    ``returned(queries)`` gives what the attention function returned for these queries, (h, n, d_v),
    or, where heads are joined and projected by `project`, (n, d); None where it was not seen.
    Queries that see no key are left out, because libraries disagree about their output.
    """
    import torch

    if call.v is None:
        return call
    queries = _some(call.shape[1])
    output = returned(queries)
    if output is None:
        return call
    part = call.of_queries(queries)
    scores, locked = layer_scores(part, hidden(part))
    largest = _largest(scores, locked)
    try:
        weights = softmax(scores, locked, out=scores)
    except ValueError:  # the model computed NaN: see `is_broken`
        return call
    weights = weights[..., : call.shape[2]]
    seen = weights.any(axis=-1).all(axis=0)
    V = call.v.detach().to("cpu", torch.float32).numpy()
    groups = weights.reshape(len(V), -1, *weights.shape[1:])
    ours: NDArray = np.matmul(groups, V[:, None]).reshape(*weights.shape[:2], V.shape[-1])
    theirs = output.detach().to("cpu", torch.float32)
    size = float(np.abs(V).max(initial=0))
    if project is not None:
        joined = torch.from_numpy(ours).transpose(0, 1).flatten(1).to(output.device, output.dtype)
        projected = project(joined).detach().to("cpu", torch.float32)
        size = max(size, float(projected.abs().max()), float(theirs.abs().max()))
        difference = (projected - theirs).numpy()[seen]
    else:
        difference = (ours - theirs.numpy())[:, seen]
    error = float(np.abs(difference).max(initial=0))
    name = str(call.v.dtype).removeprefix("torch.")
    precision = max(torch.finfo(call.v.dtype).eps, torch.finfo(torch.float32).eps)
    bound = _UNITS.get(name, 2.0) * precision * (1 + largest) * size
    if not np.isfinite(error):  # the model computed NaN: see `is_broken`
        return call
    return replace(call, proved=error <= bound, error=error, bound=bound)


def _some(n: int) -> list[int]:
    count = min(n, max(_FEW, min(n // 100, _MOST)))
    return sorted({i * (n - 1) // max(1, count - 1) for i in range(count)})


def _largest(scores: NDArray, locked: NDArray | None) -> float:
    if locked is not None:
        scores = scores[~np.broadcast_to(locked, scores.shape)]
    finite = scores[np.isfinite(scores)]
    return float(np.abs(finite).max(initial=0))
