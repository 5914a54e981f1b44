"""`Call`: the inputs of an attention call of a model, and the mask and bias that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from attnwidget.sources.knockouts import KnockOut

# An additive mask hides a cell if its number is at most this; models use the lowest float or -inf.
_HIDES = -1e4
# No real score is this low, so a row of only such scores is masked as a whole.
_NEVER = -1e30
# In the names of modules that call attention for each image.
VISUAL = "visual"
# Scores that differ from scale · Q Kᵀ by less than this (relative) have no bias.
_ROUNDING = 2e-5


@dataclass(frozen=True, eq=False)
class Call:
    """The inputs of an attention module, for a text of the batch.

    `module` is the qualified module name, `layer_idx` the module's number, None without one.
    Shapes: `q` (h, n_q, d_k), `k` (h_kv, n_k, d_k), `v` (h_kv, n_k, d_v), after rotation. `mask` is
    the model's mask, which broadcasts to (h, n_q, n_k): bool with **True = seen**, or additive. If
    `causal`, later keys are masked without a `mask`. `softcap` bounds the scores, then
    `position_bias` is added to them. `sink` (h,) is the score of a sink, an additional key without
    a value.

    If the model does not use the AttentionInterface, `scores` (h, n_q, n_k) is the input of the
    softmax, with the mask added, and q, k and v are None if they could not be read.

    `rows` is the number of entries of the call's first axis: texts, images, or windows of images.
    `share` is the number of these entries that belong to the text; the call is the first of them.
    `turn` is the number of the model's pass, and the number of the module's run in all passes.

    `proved` is the result of a comparison of weights · V with the attention's output for a few
    rows, None if the output could not be read. `error` is the largest difference, and `bound` the
    difference that rounding explains. `edits` are the knock-outs of the module in this run.
    """

    module: str
    layer_idx: int | None
    q: torch.Tensor | None
    k: torch.Tensor | None
    v: torch.Tensor | None
    scale: float
    mask: torch.Tensor | None = None
    causal: bool = False
    position_bias: torch.Tensor | None = None
    softcap: float | None = None
    sink: torch.Tensor | None = None
    scores: torch.Tensor | None = None
    rows: int = 1
    share: int = 1
    turn: tuple[int, int] = (0, 0)
    proved: bool | None = None
    error: float = 0.0
    bound: float = 0.0
    edits: tuple[KnockOut, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, n_q, n_k), without a sink."""
        if self.scores is not None:
            h, n_q, n_k = self.scores.shape
            return h, n_q, n_k
        assert self.q is not None
        assert self.k is not None
        return self.q.shape[0], self.q.shape[1], self.k.shape[1]

    @property
    def n_kv_heads(self) -> int:
        """The number of heads of keys and values, which is smaller with grouped queries."""
        return self.shape[0] if self.k is None else self.k.shape[0]

    def group(self, head: int) -> int:
        """Return the head of keys and values that query head `head` reads."""
        return head * self.n_kv_heads // self.shape[0]

    def of_queries(self, queries: Sequence[int]) -> Call:
        """Return the call with only some queries, and all keys."""
        import torch

        _, n_q, n_k = self.shape
        at = torch.as_tensor(queries)

        def rows(part: torch.Tensor | None) -> torch.Tensor | None:
            if part is None or part.shape[-2] != n_q:  # a single row holds for all queries
                return part
            return part.index_select(-2, at.to(part.device))

        mask, bias, scores = rows(self.mask), rows(self.position_bias), rows(self.scores)
        if self.causal:
            mask = (torch.arange(n_k) <= at[:, None])[None]
        q = None if self.q is None else rows(self.q)
        return replace(self, q=q, mask=mask, causal=False, position_bias=bias, scores=scores)

    def of_head(self, head: int) -> Call:
        """Return the call with only the head `head`."""
        group = self.group(head)

        def part(tensor: torch.Tensor | None, at: int) -> torch.Tensor | None:
            return tensor if tensor is None or len(tensor) == 1 else tensor[at : at + 1]

        return replace(
            self,
            q=part(self.q, head),
            k=part(self.k, group),
            v=part(self.v, group),
            mask=part(self.mask, head),
            position_bias=part(self.position_bias, head),
            sink=part(self.sink, head),
            scores=part(self.scores, head),
        )


def together(*calls: Call) -> tuple[bool | None, float, float]:
    """Return `proved`, `error` and `bound` of a call that joins several calls."""
    worst = max(calls, key=lambda call: call.error - call.bound)
    known = [call.proved for call in calls]
    proved = False if False in known else None if None in known else True
    return proved, worst.error, worst.bound


def is_broken(call: Call) -> bool:
    """Return whether the inputs of the call have NaN or infinity, so that it has no weights."""
    import torch

    tensors = [part for part in (call.q, call.k, call.v) if part is not None]
    # Test the sum first, because it needs a single pass. A sum that is not finite may be an
    # overflow, so test the numbers then.
    if not all(torch.isfinite(part.sum()) or torch.isfinite(part).all() for part in tensors):
        return True
    # Masked scores may be -inf, so test scores for NaN only.
    return call.scores is not None and bool(torch.isnan(call.scores).any())


def are_finite(calls: Sequence[Call]) -> bool:
    """Return True if all inputs of `calls` are finite; False if `is_broken` has to test each call.

    The sum of a tensor is finite only if the tensor is, but a sum of large numbers may overflow.
    """
    import torch

    parts = [part for call in calls for part in (call.q, call.k, call.v) if part is not None]
    if not parts or any(call.scores is not None for call in calls):
        return False
    sums = torch.stack([part.sum(dtype=torch.float32).cpu() for part in parts])
    return bool(torch.isfinite(sums).all())


def one_a_layer(calls: Sequence[Call], segments: tuple[int, int, int] | None = None) -> list[Call]:
    """Return `calls` with the calls of several images joined, because they belong to a layer.

    Qwen2-VL calls attention for each frame, in a single run of a module, without a mask. If a batch
    has several texts, `segments` are the first frame of the text, the first frame after it, and the
    number of all frames. Two calls with the same tokens (DiffLlama) are not joined.
    """
    joined: list[Call] = []
    for packed in _runs(calls):
        first = packed[0]
        if len(packed) > 1 and VISUAL in first.module and all(map(_is_plain, packed)):
            of_text = segments is not None and len(packed) == segments[2]
            for call in packed[slice(*segments[:2])] if of_text and segments else packed:
                if joined and joined[-1].turn == call.turn and joined[-1].module == call.module:
                    joined[-1] = _side_by_side(joined[-1], call)
                else:
                    joined.append(call)
        else:
            joined += packed
    return joined


def _runs(calls: Sequence[Call]) -> list[list[Call]]:
    """Return lists of consecutive calls that belong to the same run of a module."""
    runs: list[list[Call]] = []
    for call in calls:
        last = runs[-1][-1] if runs else None
        if last is not None and (last.module, last.turn) == (call.module, call.turn):
            runs[-1].append(call)
        else:
            runs.append([call])
    return runs


def _is_plain(call: Call) -> bool:
    return call.q is not None and call.mask is None and not call.causal


def _side_by_side(first: Call, second: Call) -> Call:
    import torch

    parts = [(getattr(first, name), getattr(second, name)) for name in "qkv"]
    q, k, v = (torch.cat(part, dim=1) for part in parts)
    n = first.shape[1]
    seen = torch.zeros((1, q.shape[1], k.shape[1]), dtype=torch.bool, device=q.device)
    seen[:, :n, :n] = True if first.mask is None else first.mask
    seen[:, n:, n:] = True
    proved, error, bound = together(first, second)
    return replace(first, q=q, k=k, v=v, mask=seen, proved=proved, error=error, bound=bound)


def hidden(call: Call) -> NDArray[np.bool_] | None:
    """Return the mask of `call`, True = masked: (n_q, n_k), or (h, n_q, n_k) if heads differ.

    The array is read-only. None if no cell is masked.
    """
    _, n_q, n_k = call.shape
    if call.scores is not None:
        low = is_hidden(call.scores)
    elif call.mask is None:
        return _frozen(~np.tri(n_q, n_k, dtype=bool)) if call.causal else None
    else:
        low = is_low(call.mask[..., :n_k]).expand(-1, n_q, n_k)
    heads = low.cpu().numpy()
    if not heads.any():
        return None
    alike = len(heads) == 1 or bool((heads == heads[:1]).all())
    return _frozen(np.array(heads[0] if alike else heads))


def bias(call: Call, head: int | None = None) -> NDArray[np.float32] | None:
    """Return the bias on the scores of `call`: (n_q, n_k) of a head, or (1 or h, n_q, n_k).

    The bias is 0 in masked cells. None without a bias.
    """
    _, n_q, n_k = call.shape
    total: NDArray[np.float32] | None = None
    for part in (call.mask, call.position_bias):
        if part is None or not part.is_floating_point():
            continue
        part = part[..., :n_k]
        part = part.masked_fill(is_low(part), 0)
        if head is not None:
            part = part[head if len(part) > 1 else 0]
        if bool(part.any()):
            array = part.expand(*part.shape[:-2], n_q, n_k).float().cpu().numpy()
            total = array if total is None else total + array
    return None if total is None else _frozen(total)


def linear(
    Q: NDArray, K: NDArray, scores: NDArray, locked: NDArray[np.bool_] | None
) -> tuple[float, NDArray[np.float32] | None]:
    """Return scale and bias with `scores` = scale · Q Kᵀ + bias, shape (n_q, n_k).

    The bias is None if a scale explains the scores. Otherwise the scale is 1/√d_k, and the bias is
    the difference, 0 in `locked` cells.
    """
    raw = np.matmul(Q.astype(np.float64), K.astype(np.float64).T)
    free = np.ones(raw.shape, bool) if locked is None else ~locked
    x, y = raw[free], scores[free].astype(np.float64)
    usual = Q.shape[1] ** -0.5
    bound = _ROUNDING * max(1.0, float(np.abs(y).max(initial=0)))
    best = float(x @ y / (x @ x)) if x.any() else usual
    for scale in (usual, 1.0, best):
        if np.abs(y - scale * x).max(initial=0) <= bound:
            return scale, None
    rest = np.where(free, scores - usual * raw, 0).astype(np.float32)
    return usual, _frozen(rest)


def is_low(mask: torch.Tensor) -> torch.Tensor:
    """Return the cells that a mask in the form of sdpa hides."""
    return mask <= _HIDES if mask.is_floating_point() else ~mask.bool()


def is_hidden(scores: torch.Tensor) -> torch.Tensor:
    """Return the cells of scores (..., n_k) that the model masks."""
    # All scores of a model may be low. A masked score is far below the largest of its row.
    top = scores.amax(dim=-1, keepdim=True)
    return ((scores <= _HIDES) & (scores < top + _HIDES / 2)) | (scores <= _NEVER)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
