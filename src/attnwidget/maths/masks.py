"""Attention masks: what a user may write, and the masks that have names.

Every function returns a fresh bool array (n_q, n_k) in which **True means masked**: the query
(row) may not see the key (column).
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
    """Return `mask` as a fresh C-contiguous bool array (n_q, n_k), True = masked.

    Accepted are bool arrays, or numbers where 0 keeps and any of {1, -1, -inf, <= -1e4} masks,
    so that additive masks mean what their author meant; of shape (n_k,), (1, n_k) or (n_q, n_k).
    None masks nothing. Of a `numpy.ma.MaskedArray` its own mask counts (True = masked there
    too), and its data is ignored. Anything else raises ValueError, with the rule and the first
    value or the shape that breaks it.

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
    """Mask every key after the query (j > i): shape (n, n_k), n_k = n if not given.

    Queries and keys are counted from the same start, as torch's ``is_causal`` does.

    >>> causal_mask(3).astype(int)
    array([[0, 1, 1],
           [0, 0, 1],
           [0, 0, 0]])
    """
    i, j = _positions(n, n_k)
    return j > i


def padding_mask(attention_mask: ArrayLike, n_q: int | None = None) -> Mask:
    """Mask the keys that a tokenizer calls padding, for every query.

    `attention_mask` holds 1 (or True) for a token to keep and 0 for padding, shape (n_k,) or
    (1, n_k). The result is (n_q, n_k), n_q = n_k if not given. Other values or shapes raise
    ValueError.

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

    `n_k` is n if not given. A width of 0 leaves each query its own position.

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
    """Mask every later key that is not among the first `length` (prefix LM): shape (n, n_k).

    The prefix is seen by all, the rest causally (Raffel et al. 2020, arXiv 1910.10683, figure 4).

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
    """Mask the keys of other blocks: shape (n, n_k).

    `blocks` holds a label for each of the n queries, `key_blocks` one for each of the n_k keys
    (the same labels if not given); `sentence_blocks` makes them of tokens. A label that cannot
    be hashed raises TypeError.

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
    """Return the number of each token's sentence, from 0.

    A sentence ends with the last of a run of ends and the quotes and brackets that close after
    it. An end is a token of nothing but . ! ? … 。 ！ ？ and closing marks after those, or one of
    the separators [SEP], </s> and <|endoftext|>.

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
    # An array's own elements may hash by identity, as torch's do.
    each = labels.tolist() if hasattr(labels, "tolist") else labels
    try:
        return np.array([seen.setdefault(label, len(seen)) for label in each], dtype=np.int_)
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
