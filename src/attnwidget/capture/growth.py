"""Attention calls of a model that writes: each step's rows put under those of the steps before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from attnwidget.capture.records import Call, is_low, together

if TYPE_CHECKING:
    import torch


class Growth:
    """The calls of each attention module so far, as one call a module, in the order of modules.

    With a cache, a step asks one query; what it may see of the keys is its row. `is_cross(module)`
    says where the keys stay the same.
    """

    def __init__(self, is_cross: Callable[[str], bool]) -> None:
        self._is_cross = is_cross
        self._found: dict[str, Call] = {}

    def keep(self, call: Call) -> None:
        """Take a call in."""
        before = self._found.get(call.module)
        if before is not None:
            if call.turn[0] == before.turn[0]:
                raise ValueError(
                    f"generate: {call.module} attends more than once in a step, and a row would "
                    "mix both; open one pass over the text instead, without generate"
                )
            call = _under(before, call, self._is_cross(call.module))
        self._found[call.module] = call

    def calls(self) -> list[Call]:
        """Return one call for each module."""
        return list(self._found.values())


def _under(before: Call, new: Call, cross: bool) -> Call:
    """Return `before` with the queries, and the keys that are new, of `new` under it."""
    import torch

    if before.q is None or new.q is None:
        raise ValueError(
            f"generate: {new.module} computes attention by itself, and its Q and K weren't seen"
        )
    assert before.k is not None
    assert before.v is not None
    assert new.k is not None
    assert new.v is not None
    _, queries, keys = new.shape
    if not cross and 1 < queries == keys >= before.shape[1]:
        return new  # without a cache, everything is read again
    k, v = before.k, before.v
    if not cross:
        # A cache of a sliding window has lost the first keys; the last ones are new in any.
        k, v = (
            torch.cat([old, fresh[:, -queries:]], dim=1) for old, fresh in ((k, new.k), (v, new.v))
        )
    proved, error, bound = together(before, new)
    seen, added = _rows(before, k.shape[1], 0)
    more_seen, more_added = _rows(new, k.shape[1], k.shape[1] - keys)
    return replace(
        before,
        turn=new.turn,
        proved=proved,
        error=error,
        bound=bound,
        q=torch.cat([before.q, new.q], dim=1),
        k=k,
        v=v,
        mask=_stacked(seen, more_seen),
        causal=False,
        position_bias=None
        if added is None and more_added is None
        else _stacked(
            torch.zeros_like(seen, dtype=k.dtype) if added is None else added,
            torch.zeros_like(more_seen, dtype=k.dtype) if more_added is None else more_added,
        ),
        scores=_scores(before, new, k.shape[1]),
    )


def _rows(call: Call, n_k: int, start: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return what `call` sees, and adds to its scores, of `n_k` keys, its own from `start` on."""
    import torch

    assert call.k is not None
    _, n_q, keys = call.shape
    here = {"device": call.k.device}
    seen = torch.ones((1, n_q, keys), dtype=torch.bool, **here)
    if call.mask is not None:
        seen = (~is_low(call.mask[..., :keys])).expand(-1, n_q, keys)
    elif call.causal:
        seen = seen.tril()
    added = None
    for part in (call.mask, call.position_bias):
        if part is not None and part.is_floating_point():
            part = part[..., :keys].masked_fill(is_low(part[..., :keys]), 0).to(call.k.dtype)
            added = part if added is None else added + part
    wide = torch.zeros((len(seen), n_q, n_k), dtype=torch.bool, **here)
    wide[..., start : start + keys] = seen
    if added is None:
        return wide, None
    extended = torch.zeros((len(added), n_q, n_k), dtype=added.dtype, **here)
    extended[..., start : start + keys] = added
    return wide, extended


def _stacked(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    import torch

    h = max(len(above), len(below))
    return torch.cat([part.expand(h, -1, -1) for part in (above, below)], dim=1)


def _scores(before: Call, new: Call, n_k: int) -> torch.Tensor | None:
    import torch

    first, more = before.scores, new.scores
    if first is None or more is None:
        return None
    # The keys of an earlier step are the first ones, those of a later one the last.
    pad = torch.nn.functional.pad
    above = pad(first, (0, n_k - first.shape[-1]), value=-torch.inf)
    below = pad(more, (n_k - more.shape[-1], 0), value=-torch.inf)
    return torch.cat([above, below], dim=1)
