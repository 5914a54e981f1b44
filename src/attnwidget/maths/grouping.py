"""Join sub-tokens into words, in labels and in maps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_SPACE = "␣"
_PART = re.compile(r" (\d+)/\d+$")

Groups = tuple[tuple[int, ...], ...]


def word_groups(labels: Sequence[str], word_ids: Sequence[int | None] = ()) -> Groups:
    """Return the positions of each word's sub-tokens, in order.

    `word_ids` come from a fast tokenizer: neighbouring sub-tokens with equal numbers are a word,
    and None (a special token) is a word by itself. If a number is -1, or `word_ids` is empty, the
    labels decide: a label with WordPiece's "##" continues a word, and if any label begins with
    "␣", a label without "␣" continues a word.
    """
    ids = word_ids or (-1,) * len(labels)
    spaced = any(label.startswith(_SPACE) for label in labels)

    def continues(i: int) -> bool:
        if ids[i] is None or ids[i] != ids[i - 1]:
            return False
        label = labels[i]
        return ids[i] != -1 or label.startswith("##") or (spaced and not label.startswith(_SPACE))

    starts = [i == 0 or not continues(i) for i in range(len(labels))]
    firsts = [i for i, start in enumerate(starts) if start] + [len(labels)]
    return tuple(tuple(range(a, b)) for a, b in pairwise(firsts))


def word_label(labels: Sequence[str]) -> str:
    """Return the label of a word: the sub-tokens' labels, joined without "##" and part numbers."""
    if len(labels) == 1:
        return labels[0]
    parts: list[str] = []
    for label in labels:
        part = _PART.search(label)
        # Several sub-tokens that share a character all have it in their labels; take it once.
        if parts and part and part[1] != "1":
            continue
        parts.append(_PART.sub("", label))
    first, *rest = parts
    return first + "".join(part.removeprefix("##") for part in rest)


def merge(attention: NDArray, rows: Groups, columns: Groups) -> NDArray:
    """Return maps (..., n_q, n_k) by groups of positions: columns summed, rows averaged.

    The weight from a word to a word is the sum over the key word's tokens, averaged over the
    query word's tokens. A position that is in no group is left out.
    """
    part = np.stack([attention[..., list(group)].sum(axis=-1) for group in columns], axis=-1)
    return np.stack([part[..., list(group), :].mean(axis=-2) for group in rows], axis=-2)
