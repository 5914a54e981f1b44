"""Read attention that does not use the AttentionInterface from the torch functions of its modules.

A `TorchFunctionMode` gets every torch function that the thread calls. Inside an attention module, a
softmax over the last axis gives the weights, an earlier product of the same size is Q Kᵀ, and the
first product with the weights is the product with V. Attention that cannot be read in this way is
noted. The code never guesses, and never stops the pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

from attnwidget.capture.layouts import aligned, of_row, split
from attnwidget.capture.longformer import is_banded, unbanded
from attnwidget.capture.multihead import NAME as MULTI_HEAD
from attnwidget.capture.multihead import MultiHead
from attnwidget.capture.proof import proven, some_queries
from attnwidget.capture.recognise import head_count
from attnwidget.capture.records import Call

if TYPE_CHECKING:
    import torch

    from attnwidget.capture.rows import Place

_SDPA = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
_PRODUCTS = {"matmul", "__matmul__", "bmm", "baddbmm", "einsum"}
_BLOCKS = "its softmax is not laid out as batch, heads, queries and keys"
_UNREADABLE = (RuntimeError, IndexError, KeyError, TypeError, AttributeError)


@contextmanager
def watching(frame: Callable[[], Frame | None]) -> Iterator[None]:
    """Pass each call of a torch function to `frame()`, the attention module that runs."""
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            result = func(*args, **kwargs)
            current = frame()
            if current is not None:
                current.see(getattr(func, "__name__", ""), args, kwargs, result)
            return result

    with Watch():
        yield


@dataclass(eq=False)
class _Waiting:
    """A call that waits for the product with V. If `needs_v`, a call without V is dropped."""

    call: Call
    shape: tuple[int, ...]
    at: int
    heads: int
    needs_v: bool

    def weighs(self, left: torch.Tensor, right: torch.Tensor) -> bool:
        """Return whether the product of `left` and `right` is weights · V."""
        n_q, n_k = self.shape[-2:]
        is_weights = tuple(left.shape[-2:]) == (n_q, n_k) and left.numel() == prod(self.shape)
        return is_weights and right.shape[-2] == n_k


@dataclass(eq=False)
class Frame:
    """A run of the attention module `name`.

    `place(rows)` returns the entry of a call's first axis that is shown. `calls` are the calls read
    so far, `notes` the reasons for calls that could not be read.
    """

    module: Any
    name: str
    place: Callable[[int], Place]
    length: int | None = None
    global_tokens: Sequence[int] = ()
    calls: list[Call] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _factors: list[tuple[Any, Any, int]] = field(default_factory=list)
    _waiting: _Waiting | None = None

    def see(self, function: str, args: Any, kwargs: Any, result: Any) -> None:
        """Read a call of a torch function."""
        try:
            if function == "softmax":
                self._softmax(args, kwargs, result)
            elif function in _PRODUCTS:
                self._product(function, args, kwargs, result)
            elif function == "scaled_dot_product_attention":
                self._fused(args, kwargs, result)
            elif function == MULTI_HEAD:
                self._multi_head(args, kwargs, result)
        except _UNREADABLE:
            self._note(f"a call of {function} could not be read")

    def leave(self, returned: Any) -> None:
        """End the run, whose result is `returned`.

        If a map has fewer queries than the result has positions, the module attends with selected
        queries (Informer) or extra tokens (Pegasus-X). The map is then dropped, because it is not
        known which rows it has.
        """
        self._settle()
        output = returned[0] if isinstance(returned, (tuple, list)) and returned else returned
        if getattr(output, "ndim", 0) < 3:
            return
        positions = prod(output.shape[:-1])
        for call in self.calls if len(self.calls) == 1 else ():
            windows = call.share // self.place(call.rows).share
            # ProphetNet returns the predicting streams after the main stream, which has the map.
            streams = 1 + getattr(self.module, "ngram", 0)
            is_seen = call.scores is not None and call.q is not None
            if is_seen and positions != call.rows * windows * call.shape[1] * streams:
                self.calls = []
                self._note("the queries of its map are not the positions that it returns")

    def _note(self, reason: str) -> None:
        if reason not in self.notes:
            self.notes.append(reason)

    def _settle(self) -> None:
        """Keep a call that waits for V, without V."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if waiting.needs_v:
            self._note(_BLOCKS)
        else:
            self.calls.append(waiting.call)

    # Softmax, and the products around it

    def _softmax(self, args: Any, kwargs: Any, result: Any) -> None:
        scores = (args[0] if args else kwargs["input"]).detach()
        dim = args[1] if len(args) > 1 else kwargs.get("dim", -1)
        if scores.ndim < 3 or dim not in {-1, scores.ndim - 1}:
            return
        if is_banded(self.module):
            self._banded(scores)
            return
        self._settle()
        heads, windows = self._layout(scores.shape)
        if heads is None:
            self._note(_BLOCKS)
            return
        place = self.place(scores.numel() // (heads * windows * prod(scores.shape[-2:])))
        if place.at is None:
            self._note(place.reason)
            return
        q, k = self._queries_and_keys(scores, heads, place.at)
        self._factors.clear()
        entries = split(scores, heads)
        call = Call(
            module=self.name, layer_idx=_number(self.module), q=q, k=k, v=None, scale=1.0,
            scores=entries[place.at].float(), rows=len(entries), share=place.share * windows,
        )  # fmt: skip
        needs_v = scores.ndim != 4
        self._waiting = _Waiting(call, tuple(scores.shape), place.at, heads, needs_v)

    def _layout(self, shape: tuple[int, ...]) -> tuple[int | None, int]:
        """Return the numbers of heads and windows in the axes before the last two."""
        heads = head_count(self.module)
        if len(shape) == 3:  # batch and heads in one axis, or a single head
            if heads is None:
                return 1, 1
            return (heads, 1) if shape[0] % heads == 0 else (None, 1)
        if len(shape) == 4:
            return (shape[1], 1) if heads in {None, shape[1]} else (None, 1)
        if len(shape) == 5 and heads == shape[1]:
            return heads, shape[2]
        return None, 1

    def _queries_and_keys(self, scores: torch.Tensor, heads: int, at: int) -> tuple[Any, Any]:
        n_q, n_k = scores.shape[-2:]
        for left, right, size in self._factors:
            if size == scores.numel() and (left.shape[-2], right.shape[-1]) == (n_q, n_k):
                q, k = split(left, heads), split(right.transpose(-1, -2), heads)
                return q[at].detach(), k[at].detach()
        return None, None

    def _product(self, name: str, args: Any, kwargs: Any, result: torch.Tensor) -> None:
        left, right, output = aligned(name, args, kwargs, result)
        if left is None or right is None:
            return
        waiting = self._waiting
        if waiting is None or not waiting.weighs(left, right):
            self._factors.append((left, right, result.numel()))
            return
        self._waiting = None
        v = split(right, waiting.heads)
        v = v[waiting.at if len(v) > 1 else 0].detach()
        if waiting.call.k is None and len(v) < waiting.heads:
            v = v.expand(waiting.heads, -1, -1)
        call = replace(waiting.call, v=v)
        if output is not None:
            rows = split(output, waiting.heads)[waiting.at]
            call = proven(call, rows[:, some_queries(call)])
        self.calls.append(call)

    # Functions of torch that are attention as a whole

    def _fused(self, args: Any, kwargs: Any, result: torch.Tensor) -> None:
        arguments = dict(zip(_SDPA, args, strict=False)) | kwargs
        q, k, v, mask = (arguments.get(name) for name in _SDPA[:4])
        if q is None or k is None or v is None or q.ndim != 4:
            self._note(_BLOCKS)
            return
        place = self.place(len(q))
        if place.at is None:
            self._note(place.reason)
            return
        at, scale = place.at, arguments.get("scale")
        call = Call(
            module=self.name, layer_idx=_number(self.module), q=q[at].detach(), k=k[at].detach(),
            v=v[at].detach(), scale=q.shape[-1] ** -0.5 if scale is None else float(scale),
            mask=of_row(mask, at, len(q)), causal=bool(arguments.get("is_causal")), rows=len(q),
            share=place.share,
        )  # fmt: skip
        self.calls.append(proven(call, result[at][:, some_queries(call)]))

    def _multi_head(self, args: Any, kwargs: Any, result: Any) -> None:
        attention = MultiHead(args, kwargs, result)
        place = self.place(attention.rows)
        if attention.reason or place.at is None:
            self._note(attention.reason or place.reason)
            return
        call = replace(attention.call(place.at, self.name), share=place.share)
        output = attention.returned(place.at, some_queries(call))
        self.calls.append(proven(call, output, attention.project))

    # Longformer

    def _banded(self, scores: torch.Tensor) -> None:
        if scores.ndim == 4:
            place = self.place(len(scores))
            if place.at is None:
                self._note(place.reason)
                return
            width = self.module.one_sided_attn_window_size
            dense = unbanded(scores[place.at], width, self.global_tokens)
            # Leave out the positions that Longformer adds after a text.
            n = len(scores[0]) if self.length is None else self.length
            call = Call(
                module=self.name, layer_idx=_number(self.module), q=None, k=None, v=None, scale=1.0,
                scores=dense[:, :n, :n], rows=len(scores), share=place.share,
            )  # fmt: skip
            self.calls.append(call)
        elif self.calls and self.global_tokens:
            # A second softmax, (batch · heads, global tokens, n), for the rows of global tokens.
            dense = self.calls[-1].scores
            assert dense is not None
            h, n = dense.shape[:2]
            rows = scores.reshape(-1, h, *scores.shape[1:])
            at = self.place(len(rows)).at
            assert at is not None
            count = len(self.global_tokens)
            dense[:, list(self.global_tokens)] = rows[at][:, :count, :n].float()


def _number(module: Any) -> int | None:
    number = getattr(module, "layer_idx", None)
    return number if isinstance(number, int) else None
