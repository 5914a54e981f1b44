"""torch's multi-head attention as a function, read from its arguments (SigLIP's pooling, WavLM)."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from attnwidget.capture.records import Call

if TYPE_CHECKING:
    import torch

NAME = "multi_head_attention_forward"


@cache
def _signature() -> inspect.Signature:
    from torch.nn.functional import multi_head_attention_forward

    return inspect.signature(multi_head_attention_forward)


class MultiHead:
    """A call of ``torch.nn.functional.multi_head_attention_forward``.

    `reason` is the reason if the call cannot be read, otherwise "".
    """

    def __init__(self, args: Any, kwargs: Any, result: Any) -> None:
        bound = _signature().bind(*args, **kwargs)
        bound.apply_defaults()
        self._given = bound.arguments
        self._output = result[0]
        self.is_batched = self._given["query"].ndim == 3
        self.rows = self._given["query"].shape[1] if self.is_batched else 1
        unusual = ("bias_k", "bias_v", "static_k", "static_v")
        has_more = self._given["add_zero_attn"] or any(self._given[n] is not None for n in unusual)
        self.reason = "it adds keys of its own" if has_more else ""

    def call(self, at: int, module: str) -> Call:
        """Return the record of the call for entry `at` of the batch."""
        h = self._given["num_heads"]
        q, k, v = (self._split(tensor[:, at], h) for tensor in self._projected())
        return Call(
            module=module, layer_idx=None, q=q, k=k, v=v, scale=q.shape[-1] ** -0.5,
            mask=self._mask(at, h, k.shape[1]), rows=self.rows,
        )  # fmt: skip

    def returned(self, at: int, queries: list[int]) -> torch.Tensor:
        """Return the output of `queries` of entry `at`, (n, d)."""
        return self._output[queries, at] if self.is_batched else self._output[queries]

    def project(self, joined: torch.Tensor) -> torch.Tensor:
        """Return the output projection of the joined outputs of the heads, (n, h · d_v)."""
        from torch.nn.functional import linear

        return linear(joined, self._given["out_proj_weight"], self._given["out_proj_bias"])

    def _projected(self) -> list[torch.Tensor]:
        from torch.nn.functional import linear

        given = self._given
        inputs = [given[name] for name in ("query", "key", "value")]
        if not self.is_batched:
            inputs = [tensor[:, None] for tensor in inputs]
        if given["use_separate_proj_weight"]:
            weights = [given[f"{name}_proj_weight"] for name in "qkv"]
        else:
            weights = given["in_proj_weight"].chunk(3)
        bias = given["in_proj_bias"]
        biases = [None] * 3 if bias is None else bias.chunk(3)
        return [linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]

    @staticmethod
    def _split(projected: torch.Tensor, h: int) -> torch.Tensor:
        """Return (h, n, d) of (n, h · d)."""
        return projected.unflatten(-1, (h, -1)).transpose(0, 1).detach()

    def _mask(self, at: int, h: int, n_k: int) -> torch.Tensor | None:
        """Return the union of both masks in sdpa's form: True = visible, or numbers to add."""
        import torch

        parts = []
        mask, padding = self._given["attn_mask"], self._given["key_padding_mask"]
        if mask is not None:
            if mask.ndim == 3:
                mask = mask.unflatten(0, (-1, h))
                mask = mask[at if len(mask) > 1 else 0]
            parts.append(mask if mask.ndim == 3 else mask[None])
        if padding is not None:
            padding = padding[at] if padding.ndim == 2 else padding
            parts.append(padding.view(1, 1, n_k))
        if not parts:
            return None
        # In the masks of this torch function, True hides a key.
        if all(part.dtype == torch.bool for part in parts):
            hidden = parts[0] if len(parts) == 1 else parts[0] | parts[1]
            return ~hidden
        total = 0
        for part in parts:
            if part.dtype == torch.bool:
                part = torch.zeros_like(part, dtype=torch.float32).masked_fill(part, -torch.inf)
            total = total + part
        assert isinstance(total, torch.Tensor)
        return total.detach()
