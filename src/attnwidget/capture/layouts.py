"""How the tensors of attention calls are laid out: batch, heads, queries, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def of_row(mask: torch.Tensor | None, at: int, rows: int) -> torch.Tensor | None:
    """Return the mask of entry `at` of `rows`, (h or 1, n_q or 1, n_k)."""
    if mask is None:
        return None
    mask = mask.detach()
    if mask.ndim == 4:
        # Fewer masks than entries serve them in turn.
        mask = mask[at * len(mask) // rows if len(mask) > 1 else 0]
    return mask if mask.ndim > 2 else mask.expand(1, *[1] * (2 - mask.ndim), *mask.shape)


def split(factor: torch.Tensor, heads: int) -> torch.Tensor:
    """Return (b, h or fewer, rows, d) of a factor.

    Batch and heads may share an axis of `factor`. Of several windows, the first is returned.
    """
    if factor.ndim == 5:
        return factor[:, :, 0]
    return factor if factor.ndim == 4 else factor.reshape(-1, heads, *factor.shape[-2:])


def aligned(name: str, args: Any, kwargs: Any, result: Any) -> tuple[Any, Any, Any]:
    """Return a product's factors as (..., rows, d) and (..., d, columns), and the product.

    All three are None if the layout of the factors is not known.
    """
    if name != "einsum":
        if name == "baddbmm":
            args = [*args[1:], *(kwargs[k] for k in ("batch1", "batch2") if k in kwargs)]
        if len(args) < 2 or args[0].ndim < 3 or args[1].ndim < 3:
            return None, None, None
        return args[0], args[1], result
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    is_known = isinstance(equation, str) and "->" in equation and "." not in equation
    if not is_known or len(operands) != 2:
        return None, None, None
    inputs, out = equation.replace(" ", "").split("->")
    a, b = inputs.split(",")
    summed = [letter for letter in a if letter in b and letter not in out]
    own_a = [letter for letter in a if letter not in b]
    own_b = [letter for letter in b if letter not in a]
    both = [letter for letter in out if letter in a and letter in b]
    lone = [letter for letter in (*own_a, *own_b) if letter not in out]
    if len(summed) != 1 or len(own_a) != 1 or len(own_b) != 1 or lone:
        return None, None, None
    # Move the axes that both factors and the result have to the front. XLNet's order is
    # (i, batch, heads, d).
    left = operands[0].permute([a.index(letter) for letter in (*both, *own_a, *summed)])
    right = operands[1].permute([b.index(letter) for letter in (*both, *summed, *own_b)])
    product = result.permute([out.index(letter) for letter in (*both, *own_a, *own_b)])
    return left, right, product
