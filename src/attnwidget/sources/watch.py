"""Attention that a model computes by itself, watched: what goes into softmax inside its modules.

A `TorchFunctionMode` sees every function of torch that runs. Inside an attention module, the
first product of the softmax's size is Q Kᵀ, and the first product with what comes out of it is
that with V; where a model's layout is another one, Q, K and V stay unknown and the weights are
right all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnwidget.sources.banded import is_banded, unbanded
from attnwidget.sources.calls import Call
from attnwidget.sources.supported import computes_itself

if TYPE_CHECKING:
    import torch

_SDPA = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
_PRODUCTS = {"matmul", "__matmul__", "bmm", "baddbmm", "einsum"}


@contextmanager
def watched(
    model: Any,
    row: Callable[[int], int],
    keep: Callable[[Call], None],
    global_tokens: Sequence[int] = (),
) -> Iterator[None]:
    """Hand `keep` every attention that modules of `model` compute by themselves.

    `row(b)` says which of the b first-axis entries of a call is wanted; `global_tokens` are those
    of Longformer.
    """
    from torch.nn.modules.module import (
        register_module_forward_hook,
        register_module_forward_pre_hook,
    )
    from torch.overrides import TorchFunctionMode

    frames: list[_Frame] = []
    names = {module: name for name, module in model.named_modules()}

    class Watch(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            result = func(*args, **kwargs)
            if frames:
                name = getattr(func, "__name__", "")
                if name == "softmax":
                    frames[-1].softmax(args[0] if args else kwargs["input"], result)
                elif name in _PRODUCTS:
                    frames[-1].product(name, args, kwargs, result)
                elif name == "scaled_dot_product_attention":
                    frames[-1].fused(args, kwargs)
            return result

    def enter(module: Any, _args: Any) -> None:
        if computes_itself(type(module)):
            if module not in names:  # BigBird makes new ones on its way
                names.update({module: name for name, module in model.named_modules()})
            name = names.get(module, type(module).__name__)
            frames.append(_Frame(module, name, row, global_tokens))

    def leave(module: Any, _args: Any, _result: Any) -> None:
        if frames and frames[-1].module is module:
            for call in frames.pop().calls:
                keep(call)

    hooks = [
        register_module_forward_pre_hook(enter),
        register_module_forward_hook(leave, always_call=True),
    ]
    try:
        with Watch():
            yield
    finally:
        for hook in hooks:
            hook.remove()


class _Frame:
    """One run of one attention module."""

    def __init__(
        self, module: Any, name: str, row: Callable[[int], int], global_tokens: Sequence[int]
    ) -> None:
        self.module = module
        self.name = name
        self._global = global_tokens
        self.calls: list[Call] = []
        self._row = row
        self._factors: list[tuple[Any, Any, Any]] = []
        self._awaiting: tuple[int, ...] | None = None

    def product(self, name: str, args: Any, kwargs: Any, result: torch.Tensor) -> None:
        left, right = _aligned(name, args, kwargs)
        if left is None or right is None:
            return
        if self._awaiting and tuple(left.shape[-2:]) == self._awaiting[-2:]:
            b, h, n_q, n_k = self._awaiting
            if left.numel() == b * h * n_q * n_k and right.shape[-2] == n_k:
                v = _heads(right, b, h)[self._row(b)].detach()
                self.calls[-1] = replace(self.calls[-1], v=v)
                self._awaiting = None
                return
        self._factors.append((left, right, result.numel()))

    def softmax(self, scores: torch.Tensor, result: torch.Tensor) -> None:
        scores = scores.detach()
        if is_banded(self.module):
            self._banded(scores)
            return
        if scores.ndim != 4:
            return
        b, h, n_q, n_k = scores.shape
        q = k = None
        for left, right, size in self._factors:
            if size == scores.numel() and tuple(left.shape[-2:-1] + right.shape[-1:]) == (n_q, n_k):
                at = self._row(b)
                q = _heads(left, b, h)[at].detach()
                k = _heads(right.transpose(-1, -2), b, h)[at].detach()
                break
        self._factors.clear()
        self._keep(scores[self._row(b)].float(), q, k)
        self._awaiting = (b, h, n_q, n_k)

    def fused(self, args: Any, kwargs: Any) -> None:
        given = dict(zip(_SDPA, args, strict=False)) | kwargs
        q, k, v, mask = (given.get(name) for name in _SDPA[:4])
        if q is None or q.ndim != 4:
            return
        at = self._row(q.shape[0])
        if mask is not None:
            mask = (
                mask[at if mask.ndim == 4 and mask.shape[0] > 1 else 0] if mask.ndim == 4 else mask
            )
        scale = given.get("scale")
        self.calls.append(
            Call(
                module=self.name,
                layer_idx=_number(self.module),
                q=q[at].detach(),
                k=k[at].detach(),
                v=v[at].detach(),
                scale=q.shape[-1] ** -0.5 if scale is None else float(scale),
                mask=mask,
                causal=bool(given.get("is_causal")),
            )
        )

    def _banded(self, scores: torch.Tensor) -> None:
        if scores.ndim == 4:
            width = self.module.one_sided_attn_window_size
            self._keep(unbanded(scores[self._row(scores.shape[0])], width, self._global))
        elif self.calls and self._global:
            # A second softmax, (batch · heads, global tokens, n), for the rows of global tokens.
            seen = self.calls[-1].scores
            assert seen is not None
            h = seen.shape[0]
            rows = scores.reshape(-1, h, *scores.shape[1:])
            seen[:, self._global] = rows[self._row(len(rows))][:, : len(self._global)].float()

    def _keep(self, scores: torch.Tensor, q: Any = None, k: Any = None) -> None:
        self.calls.append(
            Call(
                module=self.name,
                layer_idx=_number(self.module),
                q=q,
                k=k,
                v=None,
                scale=1.0,
                scores=scores,
            )
        )


def _number(module: Any) -> int | None:
    number = getattr(module, "layer_idx", None)
    return number if isinstance(number, int) else None


def _heads(factor: torch.Tensor, b: int, h: int) -> torch.Tensor:
    """Return (b, h or fewer, rows, d): batch and heads may be one axis, heads may share one."""
    return factor if factor.ndim == 4 else factor.reshape(b, h, *factor.shape[-2:])


def _aligned(name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Return a product's factors as (..., rows, d) and (..., d, columns), None where unknown."""
    if name != "einsum":
        if name == "baddbmm":
            args = [*args[1:], *(kwargs[k] for k in ("batch1", "batch2") if k in kwargs)]
        if len(args) < 2:
            return None, None
        left, right = args[:2]
        return (left, right) if left.ndim > 2 and right.ndim > 2 else (None, None)
    equation, *operands = args
    if not isinstance(equation, str) or len(operands) != 2 or "->" not in equation:
        return None, None
    inputs, out = equation.replace(" ", "").split("->")
    a, b = inputs.split(",")
    summed = [letter for letter in a if letter in b and letter not in out]
    own_a = [letter for letter in a if letter not in b]
    own_b = [letter for letter in b if letter not in a]
    if len(summed) != 1 or len(own_a) != 1 or len(own_b) != 1:
        return None, None
    # XLNet writes (i, batch, heads, d); what both have and the result keeps comes first, as in it.
    both = [letter for letter in out if letter in a and letter in b]
    left = operands[0].permute([a.index(letter) for letter in (*both, *own_a, *summed)])
    right = operands[1].permute([b.index(letter) for letter in (*both, *summed, *own_b)])
    return left, right
