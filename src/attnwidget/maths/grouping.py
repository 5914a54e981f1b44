"""Sub-tokens put together to words, in labels and in maps."""

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

    `word_ids` are a fast tokenizer's own: equal numbers side by side are one word, None (a
    special token) is a word of its own. Where they are -1, or there are none, the labels say
    where a word starts: WordPiece's "##" goes on, and where any label begins with "␣", those that
    don't go on.
    """
    ids = word_ids or (-1,) * len(labels)
    spaced = any(label.startswith(_SPACE) for label in labels)

    def goes_on(i: int) -> bool:
        if ids[i] is None or ids[i] != ids[i - 1]:
            return False
        label = labels[i]
        return ids[i] != -1 or label.startswith("##") or (spaced and not label.startswith(_SPACE))

    starts = [i == 0 or not goes_on(i) for i in range(len(labels))]
    firsts = [i for i, start in enumerate(starts) if start] + [len(labels)]
    return tuple(tuple(range(a, b)) for a, b in pairwise(firsts))


def word_label(labels: Sequence[str]) -> str:
    """Return the label of a word: its sub-tokens' joined, without the marks that part them."""
    if len(labels) == 1:
        return labels[0]
    parts: list[str] = []
    for label in labels:
        part = _PART.search(label)
        # A character that several tokens share is in each of their labels.
        if parts and part and part[1] != "1":
            continue
        parts.append(_PART.sub("", label))
    first, *rest = parts
    return first + "".join(part.removeprefix("##") for part in rest)


def merge(attention: NDArray, rows: Groups, columns: Groups) -> NDArray:
    """Return maps (..., n_q, n_k) by groups of positions: columns summed, rows averaged.

    What a word's tokens give to a word is the mean, over those that look, of what goes to all
    that are looked at. A position in no group is left out.
    """
    part = np.stack([attention[..., list(group)].sum(axis=-1) for group in columns], axis=-1)
    return np.stack([part[..., list(group), :].mean(axis=-2) for group in rows], axis=-2)
