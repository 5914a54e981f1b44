"""Presets: masks with a name, which the widget switches on alone or together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.masks import (
    block_mask,
    causal_mask,
    prefix_mask,
    sentence_blocks,
    window_mask,
)
from attnwidget.maths.validate import index, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PRESETS = ("causal", "padding", "window", "prefix", "block")
# The parameter of a preset that is switched on with True: a window's width, a prefix's length.
DEFAULTS: Mapping[str, int] = {"window": 1, "prefix": 2}
_LARGEST = 2**31 - 1
PAD_TOKENS = ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>")


def check_presets(value: Any, n_k: int) -> Mapping[str, Any]:
    """Return presets as name -> parameter, in the order of `PRESETS`.

    `value` is a name, several names, or a mapping: ``{"causal": True, "window": 2, "prefix": 3,
    "padding": [4, 5], "block": True}``. True stands for the default parameter. The default of
    padding is the pad tokens at the end, which may be none.

    Raises
    ------
    TypeError
        If `value` or a parameter has a wrong type.
    ValueError
        If a name is unknown, or a parameter is out of range.
    """
    if value is None:
        value = ()
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Iterable):
        raise TypeError(f"presets: got {value!r}, want names of {', '.join(PRESETS)}")
    items = list(value.items()) if isinstance(value, Mapping) else [(name, True) for name in value]
    for name, _ in items:
        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(f"presets: got {name!r}, want any of {', '.join(PRESETS)}")
    values = {n: bool(v) if isinstance(v, np.bool_) else v for n, v in items}
    # The result is read-only, because a change inside it would not change the mask.
    return MappingProxyType(
        {
            name: _parameter(name, values[name], n_k)
            for name in PRESETS
            if values.get(name) is not None and values[name] is not False
        }
    )


def fit_presets(presets: Mapping[str, Any], n_k: int) -> Mapping[str, Any]:
    """Return `presets` for `n_k` keys: padding loses the positions that no longer exist."""
    kept = dict(presets)
    if presets.get("padding", True) is not True:
        kept["padding"] = [key for key in presets["padding"] if key < n_k] or None
    return presets if kept == presets else check_presets(kept, n_k)


def _parameter(name: str, value: Any, n_k: int) -> Any:
    if name in DEFAULTS:
        if value is True:
            return DEFAULTS[name]
        return size(name, value, at_least=0, at_most=_LARGEST, why="no text has more tokens")
    if value is True:
        return True
    if name != "padding" or isinstance(value, str) or not isinstance(value, Iterable):
        choices = "True, or positions of the keys to hide" if name == "padding" else "True or False"
        raise TypeError(f"{name}: got {value!r}, want {choices}")
    return sorted({index("padding", key, range(n_k)) for key in value})


def preset_mask(
    presets: Mapping[str, Any], tokens: Sequence[str], key_tokens: Sequence[str] | None = None
) -> NDArray[np.bool_]:
    """Return the union (n_q, n_k) of the masks that `presets` names, True = masked."""
    keys = tokens if key_tokens is None else key_tokens
    n_q, n_k = len(tokens), len(keys)
    mask = np.zeros((n_q, n_k), dtype=bool)
    for name, value in presets.items():
        if name == "causal":
            mask |= causal_mask(n_q, n_k)
        elif name == "window":
            mask |= window_mask(n_q, value, n_k)
        elif name == "prefix":
            mask |= prefix_mask(n_q, value, n_k)
        elif name == "block":
            mask |= block_mask(sentence_blocks(tokens), sentence_blocks(keys))
        else:
            hidden = padded_keys(keys) if value is True else [k for k in value if k < n_k]
            mask[:, hidden] = True
    return mask


def padded_keys(tokens: Sequence[str]) -> list[int]:
    """Return the positions of the pad tokens at the end."""
    first = len(tokens)
    while first and tokens[first - 1] in PAD_TOKENS:
        first -= 1
    return list(range(first, len(tokens)))


def recognise(
    mask: NDArray[np.bool_], tokens: Sequence[str], key_tokens: Sequence[str] | None
) -> Mapping[str, Any]:
    """Return the preset whose mask equals `mask`, or an empty mapping."""
    n_k = mask.shape[1]
    for name in PRESETS if mask.any() else ():
        keys = tokens if key_tokens is None else key_tokens
        preset = check_presets({name: _parameter_of(name, mask, keys)}, n_k)
        if np.array_equal(preset_mask(preset, tokens, key_tokens), mask):
            return preset
    return check_presets(None, n_k)


def _parameter_of(name: str, mask: NDArray[np.bool_], keys: Sequence[str]) -> Any:
    """Return the parameter that the preset `name` must have if its mask equals `mask`."""
    if name == "padding" and not padded_keys(keys):
        # Keys at the end that no query sees, as in the course lab, which masks the last token.
        first = len(keys)
        while first and mask[:, first - 1].all():
            first -= 1
        return list(range(first, len(keys)))
    query, key = np.nonzero(~mask)
    if name == "window":
        return int(np.abs(query - key).max(initial=0))
    if name == "prefix":
        return int((key[key > query] + 1).max(initial=0))
    return True


def carried(
    mask: NDArray[np.bool_], old: NDArray[np.bool_], new: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return `mask` with the preset mask `new` in place of `old`, and the cells set by hand kept.

    A cell was set by hand if `mask` and `old` differ there. `new` may have another shape; cells
    that still exist keep the value set by hand.
    """
    mask, old = _fit(mask, new.shape), _fit(old, new.shape)
    return (new | (mask & ~old)) & ~(old & ~mask)


def _fit(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    fitted = np.zeros(shape, dtype=bool)
    part = mask[: shape[0], : shape[1]]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
