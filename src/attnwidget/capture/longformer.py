"""Convert the band of scores that Longformer computes to a map of queries by keys.

Beltagy et al. 2020, arXiv 2004.05150: a token sees `width` tokens on either side, and the global
tokens, whose scores come before the band.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


def is_banded(module: Any) -> bool:
    """Return whether the attention module computes a band."""
    return isinstance(getattr(module, "one_sided_attn_window_size", None), int)


def unbanded(band: torch.Tensor, width: int, global_tokens: Sequence[int] = ()) -> torch.Tensor:
    """Return scores (h, n, n) of a band (n, h, g + 2 · width + 1), -inf for invisible keys.

    Raises
    ------
    ValueError
        If the band has not g = ``len(global_tokens)`` global tokens.
    """
    n, h, columns = band.shape
    extra = columns - 2 * width - 1
    if extra != len(global_tokens):
        raise ValueError(
            f"inputs: the model has {extra} global tokens and global_attention_mask names "
            f"{len(global_tokens)}; want inputs= with the mask that it uses"
        )
    dense = band.new_full((h, n, n), float("-inf")).float()
    for shift in range(-width, width + 1):
        start, stop = max(0, -shift), min(n, n - shift)
        if start < stop:
            diagonal = dense.diagonal(shift, 1, 2)
            diagonal.copy_(band[start:stop, :, extra + shift + width].T)
    for column, token in enumerate(global_tokens):
        dense[:, :, token] = band[:, :, column].T
    return dense
