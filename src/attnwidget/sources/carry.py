"""Change a sentence, and keep the arrays and edits that the change does not affect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnwidget.sources.sentence import ARRAYS, WEIGHTS, Edited, Sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from attnwidget.sources.sizes import Sizes

S = TypeVar("S", bound=Sentence)

_PROJECTED = frozenset(WEIGHTS.values())
# The arrays that an encoding of positions changes. ALiBi changes none, only the scores.
_ENCODED = {"sinusoidal": _PROJECTED, "rotary": frozenset({"Q", "K"})}


def with_array(source: S, name: str, value: NDArray) -> S:
    """Return `source` with an array set by hand, and recompute the arrays that depend on it."""
    sizes = source.sizes
    drop = {WEIGHTS[name]} if name in WEIGHTS else set()
    if name == "embeddings":
        drop = {"Q"} if source.key_tokens is not None else set(_PROJECTED)
    elif name == "key_embeddings":
        drop = {"K", "V"}
    if name in {"W_v", "V"} and value.shape[-1] != sizes.d_v:
        sizes = replace(sizes, d_v=value.shape[-1])
        drop |= {"W_v", "V"}
    bare = replace(_without(source, drop - {name}), sizes=sizes)
    if value.shape != source.sizes.shape(name):
        bare = _without(bare, {name})
    cells = value != bare.base(name)
    kept = {k: v for k, v in bare.edits.items() if k != name}
    if cells.any():
        kept[name] = Edited(cells, value)
    return replace(bare, edits=kept)


def with_setting(source: S, name: str, value: Any) -> S:
    """Return `source` with another seed, init or positional.

    The arrays that the setting draws or encodes are recomputed even if they were given or set by
    hand, because otherwise the new setting would have no visible effect. Embeddings that the
    sentence was made with stay, because they were not drawn.
    """
    before = source.settings[name]
    changes: dict[str, Any] = {name: value}
    result = replace(source, **changes)
    if value == before:
        return result
    if name == "positional":
        encodings = (source.positional, result.positional)
        return _without(result, {array for p in encodings for array in _ENCODED.get(p, ())})
    result = _without(result, {*WEIGHTS, *_PROJECTED})
    return _without_edits(result, {"embeddings", "key_embeddings"}) if name == "seed" else result


def with_tokens(source: S, name: str, value: tuple[str, ...] | None) -> S:
    """Return `source` with other tokens or key_tokens.

    If their number stays the same, only the labels change.
    """
    known: dict[str, Any] = {"tokens": source.tokens, "key_tokens": source.key_tokens}
    labels = {**known, name: value}
    n_q = len(labels["tokens"])
    n_k = n_q if labels["key_tokens"] is None else len(labels["key_tokens"])
    sizes, was_none = source.sizes, known[name] is None
    if (n_q, n_k, value is None) == (sizes.n_q, sizes.n_k, was_none):
        return replace(source, **labels)
    return with_sizes(source, replace(sizes, n_q=n_q, n_k=n_k), **labels)


def with_sizes(source: S, sizes: Sizes, **labels: Any) -> S:
    """Return `source` in other sizes, with the numbers set by hand whose row still exists."""
    bare = replace(source, sizes=sizes, given_arrays={}, edits={}, **labels)
    given, edits = {}, {}
    for name in ARRAYS:
        if name == "key_embeddings" and None in (source.key_tokens, bare.key_tokens):
            continue
        fits = source.sizes.shape(name) == sizes.shape(name)
        if fits and name in source.given_arrays:
            given[name] = source.given_arrays[name]
        if fits and name in source.edits:
            edits[name] = source.edits[name]
        elif not fits and _is_set(source, name) and _only_rows(source.sizes, sizes, name):
            edits[name] = _fit_rows(source, name, sizes.shape(name))
    return replace(bare, given_arrays=given, edits=edits)


def as_given(source: S) -> S:
    """Return `source` without numbers set by hand, with the arrays that it was made with.

    The sizes are those of the arrays; the tokens and the other settings stay. If the number of
    tokens differs, an array with a row for each token has the rows that still exist, as an edit.
    """
    given, sizes = source.origin
    if source.key_tokens is None:
        given = {name: a for name, a in given.items() if name != "key_embeddings"}
    if source.edits == {} and not source.replaced:
        return source
    if sizes is None or not given:
        return replace(source, edits={})
    old = sizes
    sizes = replace(sizes, n_q=source.sizes.n_q, n_k=source.sizes.n_k)
    whole = {name: a for name, a in given.items() if a.shape == sizes.shape(name)}
    made = replace(source, sizes=old, given_arrays=given, edits={})
    rows = {
        name: _fit_rows(made, name, sizes.shape(name))
        for name in given
        if name not in whole and _only_rows(old, sizes, name)
    }
    if whole.keys() == source.given_arrays.keys() and _same_edits(rows, source.edits):
        return source
    return replace(source, sizes=sizes, given_arrays=whole, edits=rows)


def _same_edits(a: Mapping[str, Edited], b: Mapping[str, Edited]) -> bool:
    return a.keys() == b.keys() and all(
        np.array_equal(a[name].cells, b[name].cells)
        and np.array_equal(a[name].values[a[name].cells], b[name].values[b[name].cells])
        for name in a
    )


def _is_set(source: Sentence, name: str) -> bool:
    return name in source.given_arrays or name in source.edits


def _fit_rows(source: Sentence, name: str, shape: tuple[int, ...]) -> Edited:
    """Return as an edit the numbers of an array that were set in rows (tokens) that still exist."""
    old = source.sizes.shape(name)
    rows = slice(min(shape[-2], old[-2]))
    cells, values = np.zeros(shape, bool), np.zeros(shape)
    known = np.ones(old, bool) if name in source.given_arrays else source.edits[name].cells
    cells[..., rows, :] = known[..., rows, :]
    values[..., rows, :] = source.array(name)[..., rows, :]
    return Edited(cells, values)


def _without(source: S, names: Iterable[str]) -> S:
    drop = set(names)
    given = {k: v for k, v in source.given_arrays.items() if k not in drop}
    return replace(_without_edits(source, drop), given_arrays=given)


def _without_edits(source: S, names: set[str]) -> S:
    return replace(source, edits={k: v for k, v in source.edits.items() if k not in names})


def _only_rows(old: Sizes, new: Sizes, name: str) -> bool:
    """Return whether an array has a row for each token, and only the number of rows differs."""
    a, b = old.shape(name), new.shape(name)
    return not name.startswith("W_") and a[:-2] == b[:-2] and a[-1] == b[-1]
