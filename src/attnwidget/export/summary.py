"""A widget in words, for a reader who has no card: a diff, a terminal, an exported page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.words import fixed, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot

_CELLS = 3
_TOKENS = 12
_LETTERS = 24
_TITLE_LETTERS = 200


def summary(now: Snapshot) -> str:
    """Return a paragraph about the map on screen: its tokens, largest weights and mask.

    Each weight stands after its query and its key. If the map cannot be shown, the paragraph
    has the reason.
    """
    parts = [_subject(now)]
    try:
        parts += [_weights(now), _masked(now)]
    except ValueError as error:  # a layer without readable inputs
        parts.append(f"{error}.")
    return " ".join(part for part in parts if part)


def short(now: Snapshot) -> str:
    """Return the name of the map and its size."""
    n_q, n_k = now.shape
    return f"{_title(now)}, {n_q} × {n_k} cells"


def _title(now: Snapshot) -> str:
    title = plain(now.title)
    title = title if len(title) <= _TITLE_LETTERS else f"{title[:_TITLE_LETTERS]}…"
    return title or ("Attention" if now.source.is_model else "Self-attention")


def _subject(now: Snapshot) -> str:
    n_q, n_k = now.shape
    source = now.source
    queries, keys = source.tokens, source.key_tokens
    title = f"{_title(now)} of {n_q} {_plural('query', n_q)} and {n_k} {_plural('key', n_k)}"
    texts = _text(queries)
    if keys is not None and tuple(keys) != tuple(queries):
        texts += f" → {_text(keys)}"
    place = []
    if len(source.layers) > 1:
        place.append(f"{source.stack} layer {now.layer}")
    if now.shown_layer.n_heads > 1:
        place.append(f"head {now.head}")
    where = f", {', '.join(place)}" if place else ""
    return f"{title} ({texts}){where}."


def _weights(now: Snapshot) -> str:
    weights, report = now.maps.attention, now.report
    if report is not None and now.mistake:
        if report.weights is None:
            return f"The code with the mistake {now.mistake} fails on these shapes."
        weights = report.weights
    weights = weights[now.head] if weights.ndim > 2 else weights
    if np.isnan(weights).all():
        return f"All weights are NaN{_mistake(now)}."
    n_k = weights.shape[1]
    order = _largest(weights.ravel())
    queries, keys = now.source.tokens, now.source.key_tokens or now.source.tokens
    cells = [
        f"{_name(queries[at // n_k])} → {_key(keys, at % n_k)} {fixed(weights.flat[at], 2)}"
        for at in order
        if weights.flat[at] > 0
    ]
    if not cells:
        return f"All weights are 0{_mistake(now)}."
    return f"Largest weights{_mistake(now)}: {', '.join(cells)}."


def _mistake(now: Snapshot) -> str:
    return f" with the mistake {now.mistake}" if now.mistake else ""


def _largest(weights: NDArray) -> list[int]:
    """Return the places of the largest weights; of equal weights the first. NaN comes last."""
    # A sort of a map of 8,000,000 cells takes a second.
    count = min(_CELLS, weights.size)
    known = np.where(np.isnan(weights), -1, weights)
    least = np.partition(known, -count)[-count]
    places = np.flatnonzero(known >= least)
    return [int(at) for at in places[np.argsort(-known[places], kind="stable")][:count]]


def _masked(now: Snapshot) -> str:
    mask = now.maps.mask
    if not mask.any():
        return ""
    names = f" ({', '.join(now.presets)})" if now.presets else ""
    return f"Masked: {int(mask.sum())} of {mask.size} cells{names}."


def _text(tokens: Sequence[str]) -> str:
    words = " ".join(_name(token) for token in tokens[:_TOKENS])
    return words if len(tokens) <= _TOKENS else f"{words} …"


def _key(keys: Sequence[str], at: int) -> str:
    return _name(keys[at]) if at < len(keys) else "sink"


def _name(token: str) -> str:
    """Return a token on a line: without line breaks and control characters, and not too long."""
    start = token[: _LETTERS + 1]
    shown = "".join(letter if letter.isprintable() else "␣" for letter in start) or "␣"
    return shown if len(shown) <= _LETTERS else f"{shown[:_LETTERS]}…"


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return {"query": "queries"}.get(noun, f"{noun}s")
