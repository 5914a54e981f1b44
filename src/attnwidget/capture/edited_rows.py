"""Compute the rows of attention that knock-outs change, and no other rows.

The attention function of the model runs as usual. Only the rows (head, query) with a knocked-out
cell are then computed again, because a mask of all queries and keys costs more than the attention
itself in a long text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from attnwidget.capture.records import is_low

if TYPE_CHECKING:
    import torch

    from attnwidget.sources.knockouts import Kind, KnockOut

# So many scores are computed at a time.
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Scores:
    """How the scores of an attention call are computed, row by row.

    `query` (b, h, n_q, d_k), `key` (b, h_kv, n_k, d_k), `mask` in the form of sdpa or None, which
    broadcasts to (b, h, n_q, n_k). If `causal`, a query sees no later key. `softcap` bounds the
    scores, then `bias` (as the mask) is added. `sink` (h,) is the score of a key without a value.
    """

    query: torch.Tensor
    key: torch.Tensor
    scale: float
    mask: torch.Tensor | None = None
    causal: bool = False
    bias: torch.Tensor | None = None
    softcap: float | None = None
    sink: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(b, h, n_q, n_k), without a sink."""
        b, h, n_q, _ = self.query.shape
        return b, h, n_q, self.key.shape[2]

    def rows(self, texts: slice, head: int, rows: torch.Tensor) -> torch.Tensor:
        """Return the scores of some queries of a head of some `texts`, (t, r, n_k).

        Masked cells have -inf.
        """
        import torch

        b, h, _, n_k = self.shape
        group = head * self.key.shape[1] // h
        q, k = self.query[texts, head, rows], self.key[texts, group]
        kind = torch.promote_types(q.dtype, torch.float32)
        scores = (q.to(kind) @ k.to(kind).mT) * self.scale
        if self.softcap is not None:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        for part in (self.bias, self.mask):
            if part is None:
                continue
            cells = _cells(part, b, texts, head, rows)[..., :n_k]
            if cells.is_floating_point():
                scores = scores + cells.to(kind).masked_fill(is_low(cells), -torch.inf)
            else:
                scores = scores.masked_fill(~cells.bool(), -torch.inf)
        if self.causal:
            later = torch.arange(n_k, device=rows.device) > rows[:, None]
            scores = scores.masked_fill(later, -torch.inf)
        return scores


def _cells(part: torch.Tensor, b: int, texts: slice, head: int, rows: torch.Tensor) -> torch.Tensor:
    """Return the rows of a head of a mask of some `texts`, (t or 1, r or 1, n_k)."""
    import torch

    part = part.reshape((1,) * (4 - part.ndim) + part.shape)
    if len(part) not in {1, b}:  # fewer masks than entries serve them in turn
        part = part[torch.arange(b, device=part.device) * len(part) // b]
    part = part[texts if len(part) > 1 else slice(None), head if part.shape[1] > 1 else 0]
    return part[:, rows] if part.shape[1] > 1 else part


@dataclass(frozen=True, eq=False)
class Edits:
    """The knock-outs of a layer, at the positions of a call.

    The first query of the call is the token `first_query` of the text, the first key the token
    `first_key`, because a model that generates attends with its newest token alone.
    """

    knockouts: Sequence[KnockOut]
    first_query: int = 0
    first_key: int = 0

    def heads(self, count: int) -> list[int]:
        """Return the heads with an edit."""
        named = [edit.head for edit in self.knockouts]
        if None in named:
            return list(range(count))
        return sorted({head for head in named if head is not None and head < count})

    def of_head(self, head: int) -> Edits:
        """Return the edits of a head."""
        own = [edit for edit in self.knockouts if edit.head in {None, head}]
        return Edits(own, self.first_query, self.first_key)

    def queries(self, count: int) -> list[int]:
        """Return the queries with an edit, counted from the first query of the call."""
        named = [edit.query for edit in self.knockouts]
        if None in named:
            return list(range(count))
        places = {query - self.first_query for query in named if query is not None}
        return sorted(place for place in places if 0 <= place < count)

    def touched(self, rows: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return which queries see a key with an edit, (r,). The others stay exactly as they are.

        `scores` (b, r, n_k) are -inf where a query does not see a key.
        """
        import torch

        n_k = scores.shape[-1]
        touched = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        for kind in {edit.kind for edit in self.knockouts}:
            cells = self.cells(kind, rows, n_k)
            if cells is not None:
                touched |= (cells & (scores > -torch.inf)).any(dim=-1).any(dim=0)
        return touched

    def cells(self, kind: Kind, rows: torch.Tensor, n_k: int) -> torch.Tensor | None:
        """Return which cells of some queries have an edit of a kind, (r, n_k); None for no cell."""
        import torch

        edits = [edit for edit in self.knockouts if edit.kind == kind]
        if not edits:
            return None
        cells = torch.zeros((len(rows), n_k), dtype=torch.bool, device=rows.device)
        for edit in edits:
            key = None if edit.key is None else edit.key - self.first_key
            if key is not None and not 0 <= key < n_k:
                continue
            column = slice(None) if key is None else slice(key, key + 1)
            if edit.query is None:
                cells[:, column] = True
            else:
                cells[(rows == edit.query - self.first_query), column] = True
        return cells


class CopiesError(ValueError):
    """The entries of an attention call are not copies of the text, so that none can be named."""


def edit_rows(
    scores: Callable[[slice, int, torch.Tensor], torch.Tensor],
    shape: tuple[int, int, int, int],
    copies: Sequence[Edits],
    device: torch.device,
    sink: torch.Tensor | None,
    put: Callable[[slice, int, torch.Tensor, torch.Tensor], None],
) -> None:
    """Call ``put(texts, head, rows, weights)`` with the weights (t, r, n_k) of rows that change.

    `scores` returns the scores (t, r, n_k) of some rows of a head of some texts, and `shape` is
    (b, h, n_q, n_k). The b entries of the call are in equal parts copies of a text, one for each
    element of `copies`, which is the edits of the copy. A single element holds for all entries.

    Raises
    ------
    CopiesError
        If the number of entries is no multiple of the number of copies.
    """
    share, rest = divmod(shape[0], len(copies))
    if rest:
        raise CopiesError(f"knockouts: got {len(copies)} copies in {shape[0]} entries of a call")
    for i, edits in enumerate(copies):
        if edits.knockouts:
            texts = slice(i * share, (i + 1) * share)
            _edit_texts(scores, texts, (share, *shape[1:]), edits, device, sink, put)


def _edit_texts(
    scores: Callable[[slice, int, torch.Tensor], torch.Tensor],
    texts: slice,
    shape: tuple[int, int, int, int],
    edits: Edits,
    device: torch.device,
    sink: torch.Tensor | None,
    put: Callable[[slice, int, torch.Tensor, torch.Tensor], None],
) -> None:
    """Compute the rows that change in some `texts`, whose `shape` is (t, h, n_q, n_k)."""
    import torch

    t, h, n_q, n_k = shape
    for head in edits.heads(h):
        own = edits.of_head(head)
        rows = torch.tensor(own.queries(n_q), device=device)
        size = max(1, _BLOCK // (t * n_k))
        score = None if sink is None else sink[head]
        means: torch.Tensor | None = None
        if len(rows) and any(edit.kind == "mean" for edit in own.knockouts):
            means = _means(partial(scores, texts, head), shape, device, score)
        for block in rows.split(size) if len(rows) else ():
            some = scores(texts, head, block)
            touched = own.touched(block, some)
            if touched.all():
                put(texts, head, block, _edited(some, own, block, score, means))
            elif touched.any():
                part = block[touched]
                put(texts, head, part, _edited(some[:, touched], own, part, score, means))


def _softmax(scores: torch.Tensor, sink: torch.Tensor | None) -> torch.Tensor:
    """Return the weights of scores (t, r, n_k); 0 in a row that sees no key."""
    import torch

    n_k = scores.shape[-1]
    if sink is not None:
        column = sink.to(scores.dtype).expand(*scores.shape[:-1], 1)
        scores = torch.cat([scores, column], dim=-1)
    return torch.softmax(scores, dim=-1)[..., :n_k].nan_to_num(0.0)


def _means(
    scores: Callable[[torch.Tensor], torch.Tensor],
    shape: tuple[int, int, int, int],
    device: torch.device,
    sink: torch.Tensor | None,
) -> torch.Tensor:
    """Return the mean weight of each key of a head, over the queries that see the key, (t, n_k)."""
    import torch

    t, _, n_q, n_k = shape
    total = count = torch.zeros((t, n_k), device=device)
    for rows in torch.arange(n_q, device=device).split(max(1, _BLOCK // (t * n_k))):
        block = scores(rows)
        total = total + _softmax(block, sink).sum(dim=1)
        count = count + (block > -torch.inf).sum(dim=1)
    return total / count.clamp(min=1)


def _edited(
    scores: torch.Tensor,
    edits: Edits,
    rows: torch.Tensor,
    sink: torch.Tensor | None,
    means: torch.Tensor | None,
) -> torch.Tensor:
    import torch

    n_k = scores.shape[-1]
    removed = edits.cells("remove", rows, n_k)
    if removed is not None:
        scores = scores.masked_fill(removed, -torch.inf)
    weights, seen = _softmax(scores, sink), scores > -torch.inf
    replaced = edits.cells("mean", rows, n_k)
    if replaced is not None and means is not None:
        before = weights.sum(dim=-1, keepdim=True)
        weights = torch.where(replaced & seen, means[:, None].to(weights.dtype), weights)
        whole = (replaced | ~seen).all(dim=-1, keepdim=True)
        after = weights.sum(dim=-1, keepdim=True)
        weights = torch.where(whole & (after > 0), weights * (before / after), weights)
    moved = edits.cells("first", rows, n_k)
    if moved is not None:
        mass = (weights * moved).sum(dim=-1, keepdim=True)
        first = seen.to(torch.uint8).argmax(dim=-1, keepdim=True)
        weights = weights.masked_fill(moved, 0.0).scatter_add(-1, first, mass)
    zeroed = edits.cells("zero", rows, n_k)
    return weights if zeroed is None else weights.masked_fill(zeroed, 0.0)
