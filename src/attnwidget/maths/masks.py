"""Attention masks: conversion of a user's mask, and functions that make common masks.

Every function that makes a mask returns a new bool array (n_q, n_k) in which **True means
masked**: the query (row) may not see the key (column).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attnwidget.maths.validate import plain, size

__all__ = [
    "as_mask",
    "block_mask",
    "causal_mask",
    "padding_mask",
    "prefix_mask",
    "sentence_blocks",
    "window_mask",
]

Mask = NDArray[np.bool_]

_CLOSING = r"""["'”’»)\]}」』]"""
_END = re.compile(rf"[.!?…。！？]+{_CLOSING}*|\[SEP\]|</s>|<\|endoftext\|>")
_CLOSES = re.compile(f"{_CLOSING}+")

_RULE = (
    "a mask is bool (True = masked) or numbers: 0 keeps, any of 1, -1, -inf and values "
    "<= -1e4 masks (a tokenizer's attention_mask goes in through padding_mask)"
)


def as_mask(mask: ArrayLike | None, n_q: int, n_k: int) -> Mask:
    """Return `mask` as a new C-contiguous bool array (n_q, n_k), True = masked.

    `mask` is a bool array (True = masked), or an array of numbers in which 0 keeps a cell and any
    of {1, -1, -inf, <= -1e4} masks it. Additive masks therefore keep their meaning. The shape is
    (n_k,), (1, n_k) or (n_q, n_k). None masks nothing. For a `numpy.ma.MaskedArray` its `mask`
    is read (True = masked) and its data is ignored.

    Raises
    ------
    ValueError
        For any other mask. The message has the rule and the first value, or the shape, that
        breaks the rule.

    Examples
    --------
    >>> as_mask([[0, 0, -1]], 2, 3).astype(int)
    array([[0, 0, 1],
           [0, 0, 1]])
    """
    n_q, n_k = size("n_q", n_q, at_least=0), size("n_k", n_k, at_least=0)
    if mask is None:
        return np.zeros((n_q, n_k), dtype=np.bool_)
    if isinstance(mask, str):
        raise ValueError(
            f"mask: got {mask!r}, want an array ({n_q}, {n_k}); masks with a name are `presets`"
        )
    if isinstance(mask, np.ma.MaskedArray):
        array: NDArray[Any] = np.ma.getmaskarray(mask)
    else:
        array = _array("mask", mask)
    if array.shape not in ((n_k,), (1, n_k), (n_q, n_k)):
        raise ValueError(
            f"mask: got shape {array.shape}, want ({n_k},), (1, {n_k}) or ({n_q}, {n_k})"
        )
    if array.dtype.kind == "b":
        hidden = array
    elif array.dtype.kind in "iuf":
        hidden = (array == 1) | (array == -1) | (array <= -1e4)
        _refuse("mask", array, ~hidden & (array != 0), _RULE)
    else:
        first = f", first value {array.flat[0]!r}" if array.size else ""
        raise ValueError(f"mask: got dtype {array.dtype}{first}; {_RULE}")
    return np.broadcast_to(hidden, (n_q, n_k)).copy()


def causal_mask(n: int, n_k: int | None = None) -> Mask:
    """Mask every key after the query (j > i): shape (n, n_k), n_k = n by default.

    Query 0 and key 0 are the same position, as with torch's ``is_causal``.

    >>> causal_mask(3).astype(int)
    array([[0, 1, 1],
           [0, 0, 1],
           [0, 0, 0]])
    """
    i, j = _positions(n, n_k)
    return j > i


def padding_mask(attention_mask: ArrayLike, n_q: int | None = None) -> Mask:
    """Mask the keys that a tokenizer marks as padding, for every query.

    `attention_mask` has 1 (or True) for a token to keep and 0 for padding, shape (n_k,) or
    (1, n_k). The result is (n_q, n_k), n_q = n_k by default.

    Raises
    ------
    ValueError
        If `attention_mask` has other values or another shape.

    Examples
    --------
    >>> padding_mask([1, 1, 0], n_q=2).astype(int)
    array([[0, 0, 1],
           [0, 0, 1]])
    """
    array = _array("attention_mask", attention_mask)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[0] != 1):
        raise ValueError(f"attention_mask: got shape {array.shape}, want (n_k,) or (1, n_k)")
    rule = "1 keeps a token and 0 marks padding"
    if array.dtype.kind not in "biuf":
        raise ValueError(f"attention_mask: got dtype {array.dtype}; {rule}")
    _refuse("attention_mask", array, (array != 0) & (array != 1), rule)
    n_k = array.shape[-1]
    rows = n_k if n_q is None else size("n_q", n_q, at_least=0)
    return np.broadcast_to(array == 0, (rows, n_k)).copy()


def window_mask(n: int, width: int = 1, n_k: int | None = None) -> Mask:
    """Mask the keys more than `width` positions away (|i - j| > width): shape (n, n_k).

    `n_k` is n by default. With a width of 0 each query sees only its own position.

    >>> window_mask(4).astype(int)
    array([[0, 0, 1, 1],
           [0, 0, 0, 1],
           [1, 0, 0, 0],
           [1, 1, 0, 0]])
    """
    i, j = _positions(n, n_k)
    far: Mask = np.abs(i - j) > size("width", width, at_least=0)
    return far


def prefix_mask(n: int, length: int, n_k: int | None = None) -> Mask:
    """Mask every later key that is not among the first `length` keys: shape (n, n_k).

    This is the mask of a prefix language model: every query sees the prefix, and the other keys
    are masked causally (Raffel et al. 2020, arXiv 1910.10683, figure 4). `n_k` is n by default.

    >>> prefix_mask(4, 2).astype(int)
    array([[0, 0, 1, 1],
           [0, 0, 1, 1],
           [0, 0, 0, 1],
           [0, 0, 0, 0]])
    """
    i, j = _positions(n, n_k)
    hidden: Mask = (j > i) & (j >= size("length", length, at_least=0))
    return hidden


def block_mask(blocks: Sequence[Hashable], key_blocks: Sequence[Hashable] | None = None) -> Mask:
    """Mask the keys that are in another block than the query: shape (n, n_k).

    `blocks` has the block's label for each of the n queries, `key_blocks` the label for each of
    the n_k keys (by default the same labels). `sentence_blocks` makes labels from tokens.

    Raises
    ------
    TypeError
        If a label cannot be hashed.

    Examples
    --------
    >>> block_mask([0, 0, 1]).astype(int)
    array([[0, 0, 1],
           [0, 0, 1],
           [1, 1, 0]])
    """
    seen: dict[Hashable, int] = {}
    rows = _numbered("blocks", blocks, seen)
    columns = rows if key_blocks is None else _numbered("key_blocks", key_blocks, seen)
    hidden: Mask = rows[:, None] != columns
    return hidden


def sentence_blocks(tokens: Sequence[str]) -> tuple[int, ...]:
    """Return for each token the number of its sentence, counted from 0.

    An end mark is a token of only . ! ? … 。 ！ ？ (closing quotes and brackets may follow in the
    same token), or one of the separators [SEP], </s> and <|endoftext|>. A sentence ends after a
    run of end marks and of the tokens with closing quotes and brackets that follow the run.

    >>> sentence_blocks(["Hi", "!", "?", "So", ".", ")"])
    (0, 0, 0, 1, 1, 1)
    """
    blocks: list[int] = []
    sentence, ended = 0, False
    for token in tokens:
        ends = _END.fullmatch(token) is not None
        if ended and not ends and not _CLOSES.fullmatch(token):
            sentence, ended = sentence + 1, False
        blocks.append(sentence)
        ended = ended or ends
    return tuple(blocks)


def _positions(n: int, n_k: int | None) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    rows = size("n", n, at_least=0)
    columns = rows if n_k is None else size("n_k", n_k, at_least=0)
    return np.arange(rows)[:, None], np.arange(columns)[None, :]


def _numbered(name: str, labels: Any, seen: dict[Hashable, int]) -> NDArray[np.int_]:
    # The elements of a torch tensor hash by identity, so convert an array to a list of numbers.
    hashable = labels.tolist() if hasattr(labels, "tolist") else labels
    try:
        return np.array([seen.setdefault(label, len(seen)) for label in hashable], dtype=np.int_)
    except TypeError as error:
        raise TypeError(f"{name}: got {labels!r}, want a label for each token") from error


def _array(name: str, value: ArrayLike) -> NDArray[Any]:
    try:
        return plain(name, value)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _refuse(name: str, array: NDArray[Any], bad: Mask, rule: str) -> None:
    if bad.any():
        where = tuple(np.argwhere(bad)[0].tolist())
        place = ", ".join(map(str, where))
        raise ValueError(f"{name}[{place}] is {array[where]}; {rule}")
