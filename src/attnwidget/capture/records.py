"""One attention call of a model, as it was made, and what it says about scores and masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

# An additive mask hides where it is this low; real ones use the lowest float or -inf.
_HIDES = -1e4
# No score is as low as this: a row of nothing else is masked as a whole.
_NEVER = -1e30
_VISUAL = "visual"
# Scores that are scale · Q Kᵀ up to rounding have nothing added.
_ROUNDING = 2e-5


@dataclass(frozen=True, eq=False)
class Call:
    """What one attention module was given, for one text of the batch.

    `module` is the qualified module name, `layer_idx` the number that the module carries, if any.
    Shapes: `q` (h, n_q, d_k), `k` (h_kv, n_k, d_k), `v` (h_kv, n_k, d_v), after rotation. `mask`,
    as the model made it, broadcasts to (h, n_q, n_k): bool, True = seen, or additive; `causal`
    says that the future is masked without one. `position_bias` is added to the scores, `softcap`
    bounds them before that, `sink` (h,) is the score of a key that isn't there and takes its share.

    Where the model computes attention by itself, `scores` (h, n_q, n_k) are what went into its
    softmax, mask included, and q, k and v are None where they were not seen.

    `rows` is how many entries the call's first axis had: texts, images, or windows of images.
    `share` is how many of them belong to the text, of which the call is the first. `turn` numbers
    the passes of the model and, within all passes, the runs of the module.

    `proved` says whether rows of the weights, times V, equal what the attention function returned;
    None where that was not seen. `error` is the largest difference, `bound` the largest allowed.
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

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, n_q, n_k), a sink aside."""
        if self.scores is not None:
            h, n_q, n_k = self.scores.shape
            return h, n_q, n_k
        assert self.q is not None
        assert self.k is not None
        return self.q.shape[0], self.q.shape[1], self.k.shape[1]

    @property
    def n_kv_heads(self) -> int:
        """How many heads keys and values have; fewer than queries under grouped queries."""
        return self.shape[0] if self.k is None else self.k.shape[0]

    def group(self, head: int) -> int:
        """Return the head of keys and values that query head `head` reads."""
        return head * self.n_kv_heads // self.shape[0]

    def of_queries(self, queries: Sequence[int]) -> Call:
        """Return the call with some of its queries alone; the keys stay."""
        import torch

        _, n_q, n_k = self.shape
        at = torch.as_tensor(queries)

        def rows(part: torch.Tensor | None) -> torch.Tensor | None:
            if part is None or part.shape[-2] != n_q:  # one row may serve all queries
                return part
            return part.index_select(-2, at.to(part.device))

        mask, bias, scores = rows(self.mask), rows(self.position_bias), rows(self.scores)
        if self.causal:
            mask = (torch.arange(n_k) <= at[:, None])[None]
        q = None if self.q is None else rows(self.q)
        return replace(self, q=q, mask=mask, causal=False, position_bias=bias, scores=scores)

    def of_head(self, head: int) -> Call:
        """Return the call with one of its heads alone."""
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
    """Return `proved`, `error` and `bound` of what is made of several calls."""
    worst = max(calls, key=lambda call: call.error - call.bound)
    known = [call.proved for call in calls]
    proved = False if False in known else None if None in known else True
    return proved, worst.error, worst.bound


def is_broken(call: Call) -> bool:
    """Whether what the call was given holds NaN or infinity, so that there are no weights of it."""
    import torch

    given = [part for part in (call.q, call.k, call.v) if part is not None]
    # A sum is one pass over them, and finite only of what is; a large one may be infinite too.
    if not all(torch.isfinite(part.sum()) or torch.isfinite(part).all() for part in given):
        return True
    # What a mask hides may be -inf in scores that were seen as they are.
    return call.scores is not None and bool(torch.isnan(call.scores).any())


def are_finite(calls: Sequence[Call]) -> bool:
    """Whether one look at all `calls` finds no NaN or infinity; False where `is_broken` must tell.

    A sum is one pass over a tensor, and finite only where the tensor is; a large one may overflow.
    """
    import torch

    parts = [part for call in calls for part in (call.q, call.k, call.v) if part is not None]
    if not parts or any(call.scores is not None for call in calls):
        return False
    sums = torch.stack([part.sum(dtype=torch.float32).cpu() for part in parts])
    return bool(torch.isfinite(sums).all())


def one_a_layer(calls: Sequence[Call], segments: tuple[int, int, int] | None = None) -> list[Call]:
    """Return `calls` with those of several images joined: one layer sees each image apart.

    Qwen2-VL calls attention once a frame, in one run of a module, without a mask. Where a batch has
    several texts, `segments` are the first frame of the text, the first behind, and how many there
    are. Two calls over the same tokens (DiffLlama) are not joined.
    """
    joined: list[Call] = []
    for packed in _runs(calls):
        first = packed[0]
        if len(packed) > 1 and _VISUAL in first.module and all(map(_is_plain, packed)):
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
    """Return calls that follow each other in one run of a module, run by run."""
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
    """Return what `call` masks, True = masked: (n_q, n_k), or (h, n_q, n_k) where heads differ.

    None where it masks nothing; read-only.
    """
    _, n_q, n_k = call.shape
    if call.scores is not None:
        # Scores of a model may all be low: what a mask hides is far below the rest of its row.
        top = call.scores.amax(dim=-1, keepdim=True)
        low = (call.scores <= _HIDES) & (call.scores < top + _HIDES / 2)
        low |= call.scores <= _NEVER
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
    """Return what `call` adds to its scores: (n_q, n_k) of a head, or (1 or h, n_q, n_k) of all.

    0 where the call masks; None where nothing is added.
    """
    _, n_q, n_k = call.shape
    found: NDArray[np.float32] | None = None
    for part in (call.mask, call.position_bias):
        if part is None or not part.is_floating_point():
            continue
        part = part[..., :n_k]
        part = part.masked_fill(is_low(part), 0)
        if head is not None:
            part = part[head if len(part) > 1 else 0]
        if bool(part.any()):
            added = part.expand(*part.shape[:-2], n_q, n_k).float().cpu().numpy()
            found = added if found is None else found + added
    return None if found is None else _frozen(found)


def linear(
    Q: NDArray, K: NDArray, scores: NDArray, locked: NDArray[np.bool_] | None
) -> tuple[float, NDArray[np.float32] | None]:
    """Return the scale of Q Kᵀ (n_q, n_k) in seen `scores`, and the bias that makes up the rest.

    Where the rest is not nothing, the scale is 1/√d_k and everything else is bias, 0 where
    `locked`.
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
    """Return where a mask, as sdpa takes it, hides."""
    return mask <= _HIDES if mask.is_floating_point() else ~mask.bool()


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
