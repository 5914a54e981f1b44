"""Prove a captured call: compare rows of the weights, times V, with the output of the attention.

A missing mask, another scale, or an unknown bias, softcap or sink changes this product, also in
architectures that were never tested. The weights are computed by the same functions as the maps of
the card.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.capture.heads import layer_scores
from attnwidget.capture.records import Call, hidden
from attnwidget.capture.rounding import TINY, UNIT, output_bounds
from attnwidget.maths.attention import softmax

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

# The least and the largest number of queries that are compared; between them it is n / 100.
_FEW, _MOST = 3, 12
# Calls with at most this many numbers are copied, so that several calls are proven together.
_SMALL = 2**18
# The factor on the bound if the heads' outputs are projected, which is another inner product.
_ROOM = 4


def some_queries(call: Call) -> list[int]:
    """Return the queries whose output is compared."""
    return list(_some_of(call.shape[1]))


@lru_cache(64)
def _some_of(n: int) -> tuple[int, ...]:
    count = min(n, max(_FEW, min(n // 100, _MOST)))
    # Include query 1, because query 0 of a causal text sees a single key, which proves nothing.
    return tuple(sorted({1 % n, *(i * (n - 1) // max(1, count - 1) for i in range(count))}))


def proven(
    call: Call,
    output: torch.Tensor | None,
    project: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Call:
    """Return `call` with the result of its proof: `proved`, `error` and `bound`.

    `output` is the attention's output for `some_queries(call)`, (h, n, d_v), or (n, d) if `project`
    joins and projects the heads; None if the output could not be read. Queries that see no key are
    left out, because libraries disagree about their output.
    """
    if call.v is None or output is None:
        return call
    return _judged([call], _differences(call, output, project))[0]


def proven_together(calls: Sequence[Call], outputs: Mapping[int, torch.Tensor]) -> list[Call]:
    """Return `calls` with the results of their proofs; `outputs` are by ``id(call)``.

    Small calls of equal size are proven together, as the heads of a single call, because for a
    short text the separate proofs would take more time than the model's attention.
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
        results |= {id(call): proven for call, proven in zip(group, judged, strict=True)}
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
) -> tuple[NDArray, NDArray, NDArray] | None:
    """Return for each head the difference of weights · V from `output`, its bound, and a ratio.

    The difference is the largest of the head, and the bound is the difference that rounding
    explains at the same place. The ratio is the largest ratio of a difference to its bound. None if
    nothing can be compared, because q, k or v have NaN (see `is_broken`), or no query sees a key.
    With `project`, the three arrays have a single number for all heads.
    """
    import torch

    part = call.of_queries(some_queries(call))
    scores, locked = layer_scores(part, hidden(part))
    try:
        weights = softmax(scores, locked)
    except ValueError:
        return None
    scores, weights = scores[..., : call.shape[2]], weights[..., : call.shape[2]]
    seen: NDArray = weights.sum(axis=-1) > 0
    if not seen.any():
        return None
    quick = _plainly_equal(call, scores, weights, seen, output) if project is None else None
    if quick is None:
        return _bounded(part, scores, weights, seen, output, project)
    results, is_explained = quick
    groups = np.flatnonzero(~is_explained.reshape(call.n_kv_heads, -1).all(axis=1))
    if len(groups):
        heads = np.arange(len(is_explained)).reshape(call.n_kv_heads, -1)[groups].ravel()
        some, rows = _of_groups(part, groups, heads), output[torch.from_numpy(heads)]
        exact = _bounded(some, scores[heads], weights[heads], seen[heads], rows, None)
        if exact is None:
            return None
        for result, of_heads in zip(results, exact, strict=True):
            result[heads] = of_heads
    return results


def _of_groups(call: Call, groups: NDArray, heads: NDArray) -> Call:
    """Return `call` with only some `groups` of keys and values, and the `heads` that read them."""
    import torch

    def some(part: torch.Tensor | None, at: NDArray) -> torch.Tensor | None:
        if part is None or len(part) == 1 < call.shape[0]:  # a mask or a bias of all heads
            return part
        return part[torch.from_numpy(at).to(part.device)]

    q, mask, bias = (some(part, heads) for part in (call.q, call.mask, call.position_bias))
    k, v = some(call.k, groups), some(call.v, groups)
    sink, scores = some(call.sink, heads), some(call.scores, heads)
    return replace(call, q=q, k=k, v=v, mask=mask, position_bias=bias, sink=sink, scores=scores)


def _bounded(
    part: Call,
    scores: NDArray,
    weights: NDArray,
    seen: NDArray,
    output: torch.Tensor,
    project: Callable[[torch.Tensor], torch.Tensor] | None,
) -> tuple[NDArray, NDArray, NDArray] | None:
    """Return the differences of the queries of `part` with the exact bound; see `_differences`."""
    import torch

    assert part.v is not None
    V: NDArray = part.v.detach().to("cpu", torch.float64).numpy()
    if not np.isfinite(V).all():
        return None
    V, weights = V.repeat(len(weights) // len(V), axis=0), weights.astype(np.float64)
    ours: NDArray = weights @ V
    theirs: NDArray = output.detach().to("cpu", torch.float64).numpy()
    bounds = output_bounds(part, scores, weights, V, ours)
    if project is not None:
        joined = torch.from_numpy(ours).transpose(0, 1).flatten(1).to(output.device, output.dtype)
        ours = project(joined).detach().to("cpu", torch.float64).numpy()[None]
        # A projection sums its inputs, so it also sums their errors.
        room = _ROOM * float(bounds.max()) * np.sqrt(joined.shape[1])
        theirs, bounds = theirs[None], np.full(ours.shape, room + _ROOM * 1e-6 * np.abs(ours).max())
        seen = np.logical_and.reduce(seen, axis=0, keepdims=True)
    errors = np.where(seen[..., None], np.abs(ours - theirs), 0).reshape(len(ours), -1)
    bounds = bounds.reshape(len(ours), -1)
    # Rounding does not explain NaN in the output of the attention.
    errors, ratios = (np.nan_to_num(part, nan=np.inf) for part in (errors, errors / bounds))
    largest = errors.argmax(axis=1)[:, None]
    explained = np.take_along_axis(bounds, largest, axis=1)[:, 0]
    return errors.max(axis=1), explained, ratios.max(axis=1)


def _plainly_equal(
    call: Call, scores: NDArray, weights: NDArray, seen: NDArray, output: torch.Tensor
) -> tuple[tuple[NDArray, NDArray, NDArray], NDArray[np.bool_]] | None:
    """Return the differences, and for each head whether a smaller bound explains all of them.

    The smaller bound needs only products of small matrices, and suffices for most heads in float32.
    For the other heads the exact bound has to be computed; see `attnwidget.capture.rounding`. None
    if the model has another precision, for which the smaller bound does not suffice.
    """
    import torch

    assert call.v is not None
    if call.v.dtype != torch.float32:
        return None
    V: NDArray = call.v.detach().cpu().numpy()
    shape = *weights.shape[:2], V.shape[-1]

    def times(rows: NDArray, values: NDArray) -> NDArray:
        product: NDArray = (rows.reshape(len(V), -1, rows.shape[-1]) @ values).reshape(shape)
        return product

    with np.errstate(invalid="ignore", over="ignore"):
        ours, sizes = times(weights, V), np.abs(V)
        moved = weights * (UNIT * (np.abs(np.where(weights > 0, scores, 0)) + 1))
        # A lower limit of Σ moved |V - o|, the part of the bound that comes from the scores.
        spread = times(moved, sizes) - np.abs(ours) * moved.sum(axis=-1, keepdims=True)
        bounds = UNIT * (times(weights, sizes) + np.abs(ours)) + np.maximum(spread, 0) + TINY
        errors = np.abs(ours - output.detach().cpu().numpy())
        is_explained = ((errors <= bounds).all(axis=-1) | ~seen).all(axis=-1)
    errors = np.where(seen[..., None], errors, 0).reshape(len(errors), -1)
    largest, bounds = errors.argmax(axis=1)[:, None], bounds.reshape(len(errors), -1)
    explained = np.take_along_axis(bounds, largest, axis=1)[:, 0]
    return (errors.max(axis=1), explained, np.zeros(len(errors))), is_explained


def _judged(
    calls: Sequence[Call], differences: tuple[NDArray, NDArray, NDArray] | None
) -> list[Call]:
    """Return `calls` with the results of the comparison; each call has its heads' `differences`."""
    if differences is None:
        return list(calls)
    judged = []
    shares = (np.split(part, len(calls)) for part in differences)
    for call, errors, bounds, ratios in zip(calls, *shares, strict=True):
        worst = int(np.argmax(errors))
        error, bound = float(errors[worst]), float(bounds[worst])
        proved = bool(ratios.max() <= 1)
        judged.append(replace(call, proved=proved, error=error, bound=bound))
    return judged
