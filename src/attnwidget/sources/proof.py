"""The proof of a captured call: rows of its weights, times V, are what the attention returned.

A lost mask, another scale, a bias, a softcap or a sink that the capture has not understood changes
that product, also in architectures that nobody has tried. The weights come from the very functions
that the card's maps come from.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
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
# Numbers of a call that may be copied to prove several calls as one.
_SMALL = 2**19
# Rounding, in units of the type's precision, for each unit that a score reaches. The weights are
# computed in float32, whatever the model computes in. In half precision the models round scores,
# weights and outputs once each.
_UNITS = {"float64": 16.0, "float32": 16.0, "bfloat16": 1.0, "float16": 2.0}


def some_queries(call: Call) -> list[int]:
    """Return the queries whose output is compared."""
    n = call.shape[1]
    count = min(n, max(_FEW, min(n // 100, _MOST)))
    return sorted({i * (n - 1) // max(1, count - 1) for i in range(count)})


def proven(
    call: Call,
    output: torch.Tensor | None,
    project: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Call:
    """Return `call` with the result of its proof: `proved`, `error` and `bound`.

    `output` is what the attention function returned for `some_queries(call)`, (h, n, d_v), or,
    where heads are joined and projected by `project`, (n, d); None where it was not seen. Queries
    that see no key are left out, because libraries disagree about their output.
    """
    if call.v is None or output is None:
        return call
    return _judged([call], _differences(call, output, project))[0]


def proven_together(calls: Sequence[Call], outputs: Mapping[int, torch.Tensor]) -> list[Call]:
    """Return `calls` proven, with the `outputs` of calls by ``id(call)``.

    Small calls of one size are proven as the heads of one call: of a short text, the proof of each
    alone would cost more than the model's own attention.
    """
    groups: dict[Hashable, list[Call]] = {}
    for call in calls:
        if id(call) in outputs and call.v is not None:
            groups.setdefault(_alike(call), []).append(call)
    results: dict[int, Call] = {}
    for group in groups.values():
        output = [outputs[id(call)] for call in group]
        joined, rows = (_joined(group), _cat(output)) if len(group) > 1 else (group[0], output[0])
        judged = _judged(group, _differences(joined, rows, None))
        results |= {id(call): one for call, one in zip(group, judged, strict=True)}
    return [results.get(id(call), call) for call in calls]


def _alike(call: Call) -> Hashable:
    """Return a key that calls share which may be joined, head by head."""
    parts = (call.q, call.k, call.v)
    apart = (call.position_bias, call.softcap, call.sink, call.scores)
    size = sum(part.numel() for part in parts if part is not None)
    whole = call.mask is None or len(call.mask) == 1
    if size > _SMALL or not whole or any(part is not None for part in apart):
        return id(call)
    shapes = tuple((part.shape, part.dtype) for part in parts if part is not None)
    return shapes, call.scale, call.causal, id(call.mask)


def _joined(calls: Sequence[Call]) -> Call:
    q, k, v = (_cat([getattr(call, name) for call in calls]) for name in "qkv")
    return replace(calls[0], q=q, k=k, v=v)


def _cat(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    import torch

    return torch.cat(list(parts))


def _differences(
    call: Call,
    output: torch.Tensor,
    project: Callable[[torch.Tensor], torch.Tensor] | None,
) -> tuple[NDArray, NDArray] | None:
    """Return by head how far weights times V are from `output`, and the bound of rounding.

    None where the model computed NaN: see `is_broken`. With `project`, both have one number.
    """
    import torch

    part = call.of_queries(some_queries(call))
    scores, locked = layer_scores(part, hidden(part))
    largest = _largest(scores, locked)
    try:
        weights = softmax(scores, locked, out=scores)
    except ValueError:
        return None
    weights = weights[..., : call.shape[2]]
    seen: NDArray = weights.sum(axis=-1) > 0
    assert call.v is not None
    V: NDArray = call.v.detach().to("cpu", torch.float32).numpy()
    groups = weights.reshape(len(V), -1, *weights.shape[1:])
    ours: NDArray = np.matmul(groups, V[:, None]).reshape(*weights.shape[:2], V.shape[-1])
    theirs: NDArray = output.detach().to("cpu", torch.float32).numpy()
    sizes = np.abs(V).max(axis=(1, 2), initial=0).repeat(len(ours) // len(V))
    if project is not None:
        joined = torch.from_numpy(ours).transpose(0, 1).flatten(1).to(output.device, output.dtype)
        ours = project(joined).detach().to("cpu", torch.float32).numpy()
        reached = max(sizes.max(), np.abs(ours).max(initial=0), np.abs(theirs).max(initial=0))
        ours, theirs, seen = (
            ours[None],
            theirs[None],
            np.logical_and.reduce(seen, axis=0, keepdims=True),
        )
        sizes, largest = np.array([reached]), largest.max(keepdims=True)
    errors = np.where(seen[..., None], np.abs(ours - theirs), 0).max(axis=(1, 2), initial=0)
    name = str(call.v.dtype).removeprefix("torch.")
    precision = max(torch.finfo(call.v.dtype).eps, torch.finfo(torch.float32).eps)
    return errors, _UNITS.get(name, 2.0) * precision * (1 + largest) * sizes


def _judged(calls: Sequence[Call], differences: tuple[NDArray, NDArray] | None) -> list[Call]:
    """Return each of `calls` with its share of `differences`."""
    if differences is None:
        return list(calls)
    judged = []
    for call, errors, bounds in zip(
        calls, *(np.split(part, len(calls)) for part in differences), strict=True
    ):
        worst = int(np.argmax(errors - bounds))
        error, bound = float(errors[worst]), float(bounds[worst])
        if np.isfinite(errors).all():
            call = replace(call, proved=error <= bound, error=error, bound=bound)
        judged.append(call)
    return judged


def _largest(scores: NDArray, locked: NDArray | None) -> NDArray:
    """Return by head the largest size of a score that is not masked."""
    sizes = np.abs(scores)
    if locked is not None:
        sizes[np.broadcast_to(locked, sizes.shape)] = 0
    sizes[~np.isfinite(sizes)] = 0
    found: NDArray = sizes.max(axis=(1, 2), initial=0)
    return found
