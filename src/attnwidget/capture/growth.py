"""Join the attention calls of `generate`: the rows of each step follow those of earlier steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from attnwidget.capture.records import Call, is_low, together

if TYPE_CHECKING:
    import torch


class Growth:
    """The calls of each attention module so far, joined to a single call for each module.

    With a cache, a step has a single query, whose row is added. `is_cross(module)` tells whether
    the keys of a module stay the same in all steps.
    """

    def __init__(self, is_cross: Callable[[str], bool]) -> None:
        self._is_cross = is_cross
        self._calls: dict[str, Call] = {}

    def keep(self, call: Call) -> None:
        """Add a call."""
        before = self._calls.get(call.module)
        if before is not None:
            if call.turn[0] == before.turn[0]:
                raise ValueError(
                    f"generate: {call.module} attends more than once in a step, and a row would "
                    "mix both; open one pass over the text instead, without generate"
                )
            call = _under(before, call, self._is_cross(call.module))
        self._calls[call.module] = call

    def calls(self) -> list[Call]:
        """Return a call for each module."""
        return list(self._calls.values())


def _under(before: Call, new: Call, cross: bool) -> Call:
    """Return `before` with the queries and the new keys of `new` appended."""
    import torch

    if before.q is None or new.q is None:
        raise ValueError(
            f"generate: {new.module} does not use transformers' AttentionInterface, and its Q and "
            "K could not be read"
        )
    assert before.k is not None
    assert before.v is not None
    assert new.k is not None
    assert new.v is not None
    _, queries, keys = new.shape
    if not cross and 1 < queries == keys >= before.shape[1]:
        return new  # without a cache, each step reads the whole text again
    k, v = before.k, before.v
    if not cross:
        # The last keys of `new` are the new keys, also if a sliding window has lost the first keys.
        k, v = (
            torch.cat([old, fresh[:, -queries:]], dim=1) for old, fresh in ((k, new.k), (v, new.v))
        )
    proved, error, bound = together(before, new)
    visible, biases = _rows(before, k.shape[1], 0)
    new_visible, new_biases = _rows(new, k.shape[1], k.shape[1] - keys)
    return replace(
        before,
        turn=new.turn,
        proved=proved,
        error=error,
        bound=bound,
        q=torch.cat([before.q, new.q], dim=1),
        k=k,
        v=v,
        mask=_stacked(visible, new_visible),
        causal=False,
        position_bias=None
        if biases is None and new_biases is None
        else _stacked(
            torch.zeros_like(visible, dtype=k.dtype) if biases is None else biases,
            torch.zeros_like(new_visible, dtype=k.dtype) if new_biases is None else new_biases,
        ),
        scores=_scores(before, new, k.shape[1]),
    )


def _rows(call: Call, n_k: int, start: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the visible cells and the bias of `call` for `n_k` keys; its keys begin at `start`."""
    import torch

    assert call.k is not None
    _, n_q, keys = call.shape
    here = {"device": call.k.device}
    visible = torch.ones((1, n_q, keys), dtype=torch.bool, **here)
    if call.mask is not None:
        visible = (~is_low(call.mask[..., :keys])).expand(-1, n_q, keys)
    elif call.causal:
        visible = visible.tril()
    bias = None
    for part in (call.mask, call.position_bias):
        if part is not None and part.is_floating_point():
            part = part[..., :keys].masked_fill(is_low(part[..., :keys]), 0).to(call.k.dtype)
            bias = part if bias is None else bias + part
    wide = torch.zeros((len(visible), n_q, n_k), dtype=torch.bool, **here)
    wide[..., start : start + keys] = visible
    if bias is None:
        return wide, None
    wide_bias = torch.zeros((len(bias), n_q, n_k), dtype=bias.dtype, **here)
    wide_bias[..., start : start + keys] = bias
    return wide, wide_bias


def _stacked(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    import torch

    h = max(len(above), len(below))
    return torch.cat([part.expand(h, -1, -1) for part in (above, below)], dim=1)


def _scores(before: Call, new: Call, n_k: int) -> torch.Tensor | None:
    import torch

    first, more = before.scores, new.scores
    if first is None or more is None:
        return None
    # The keys of an earlier step are the first keys, the keys of a later step are the last keys.
    pad = torch.nn.functional.pad
    above = pad(first, (0, n_k - first.shape[-1]), value=-torch.inf)
    below = pad(more, (n_k - more.shape[-1], 0), value=-torch.inf)
    return torch.cat([above, below], dim=1)
