"""Checks of arguments, which raise errors of the form ``name: got X, want Y``.

`floats` copies an array from the user and refuses numbers that are not finite. `real` and
`matrices` serve the functions of the maths: they do not copy, and accept infinite numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.floating[Any]]


def floats(name: str, value: Any, shape: Sequence[int | None] | None = None) -> NDArray:
    """Return `value` as a new, read-only float64 array of finite numbers.

    `shape` gives the wanted sizes, None for any size.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape does not fit, or a value is NaN or infinite.
    """
    array = plain(name, value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: got dtype {array.dtype}, want real numbers")
    if shape is not None and not _fits(array.shape, shape):
        raise ValueError(f"{name}: got shape {array.shape}, want {describe(shape)}")
    array = array.astype(np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}: {int(bad.sum())} of {array.size} values are NaN or infinite, the first at "
            f"{first}; want finite numbers"
        )
    array.flags.writeable = False
    return array


def plain(name: str, value: Any) -> NDArray:
    """Return `value` as an array; a floating-point torch tensor becomes float64.

    Raises
    ------
    TypeError
        If `value` cannot be read as an array.
    ValueError
        If the rows of `value` have different lengths.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double() if value.is_floating_point() else value
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: got rows of different lengths, want an array") from None
    except (TypeError, RuntimeError) as error:
        got = type(value).__name__
        raise TypeError(f"{name}: got {got}, want an array ({error})") from None


def _fits(got: Sequence[int], want: Sequence[int | None]) -> bool:
    return len(got) == len(want) and all(
        w is None or g == w for g, w in zip(got, want, strict=True)
    )


def describe(shape: Sequence[int | None]) -> str:
    """Return a shape as text, with "any" for None: ``(6, any)``."""
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def size(
    name: str, value: Any, *, at_least: int = 1, at_most: int | None = None, why: str = ""
) -> int:
    """Return `value` as an int from `at_least` to `at_most`; `why` is the reason of the limit.

    Raises
    ------
    TypeError
        If `value` is not a whole number.
    ValueError
        If `value` is too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: got {value!r}, want a whole number")
    if value < at_least:
        raise ValueError(f"{name}: got {value}, want at least {at_least}")
    if at_most is not None and value > at_most:
        raise ValueError(f"{name}: got {value}, want at most {at_most}: {why}")
    return int(value)


def index(name: str, value: Any, choices: Collection[int]) -> int:
    """Return `value` as an int if it is among `choices`.

    Raises
    ------
    TypeError
        If `value` is not a whole number.
    ValueError
        If `value` is not among `choices`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: got {value!r}, want a whole number")
    if value not in choices:
        ordered = sorted(choices)
        span = f"{ordered[0]}..{ordered[-1]}"
        wanted = span if len(ordered) == ordered[-1] - ordered[0] + 1 else f"one of {ordered}"
        raise ValueError(f"{name}: got {value}, want {wanted}")
    return int(value)


def cell(name: str, value: Any, shape: tuple[int, int]) -> tuple[int, int]:
    """Return `value` as a pair (query, key) inside a map of `shape`.

    Raises
    ------
    TypeError
        If `value` is not a pair of whole numbers.
    ValueError
        If the pair lies outside the map.
    """
    try:
        query, key = value
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {value!r}, want a pair (query, key) or None") from None
    return index(name, query, range(shape[0])), index(name, key, range(shape[1]))


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return `value` if it is among `choices`.

    Raises
    ------
    ValueError
        If `value` is not among `choices`.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: got {value!r}, want one of {', '.join(choices)}")
    return str(value)


def number(name: str, value: Any, *, at_least: float = -np.inf) -> float:
    """Return `value` as a finite float.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError
        If `value` is NaN, infinite or too small.
    """
    # A list is not made into an array, which would be as wide as the longest text in the list.
    if isinstance(value, (bool, str, Sequence, Mapping)) or (
        np.ndim(value) or not np.isrealobj(value)
    ):
        raise TypeError(f"{name}: got {value!r}, want a number")
    try:
        got = float(value)
    except OverflowError:
        got = np.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {value!r}, want a number") from None
    if not np.isfinite(got) or got < at_least:
        least = "" if at_least == -np.inf else f" of at least {at_least:g}"
        raise ValueError(f"{name}: got {got:g}, want a finite number{least}")
    return got


# Checks of the arguments of the maths


def real(name: str, value: ArrayLike) -> Float:
    """Return `value` as a float32 or float64 array, without a copy if it already is such an array.

    Raises
    ------
    TypeError
        If `value` is not an array of real numbers.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        got = type(value).__name__
        raise TypeError(f"{name}: got {got}, want an array of real numbers ({error})") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: got dtype {array.dtype}, want real numbers")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return array.astype(np.float32 if single else np.float64, copy=False)


def matrices(name: str, value: ArrayLike) -> Float:
    """Return `value` as a float array with two or more axes.

    Raises
    ------
    TypeError
        If `value` is not an array of real numbers.
    ValueError
        If `value` has fewer than two axes.
    """
    array = real(name, value)
    if array.ndim < 2:
        raise ValueError(f"{name}: got shape {array.shape}, want 2 or more axes (..., n, d)")
    return array


def check_lead(name: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    """Raise ValueError if the leading axes do not broadcast."""
    try:
        np.broadcast_shapes(shape[:-2], other_shape[:-2])
    except ValueError as error:
        raise ValueError(
            f"{name}: got shape {shape}, want leading axes that broadcast with {other} "
            f"{other_shape}"
        ) from error


def check_values(v: Float, shape: tuple[int, ...], other: str = "scores") -> None:
    """Raise ValueError if V does not have a row for each key."""
    n_k = shape[-1]
    if v.shape[-2] != n_k:
        raise ValueError(
            f"V: got shape {v.shape}, want (..., {n_k}, d_v): a row for each key of {other} {shape}"
        )
    check_lead("V", v.shape, other, shape)


def spread(name: str, array: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Return `array` broadcast to `shape`; raise ValueError if it does not broadcast."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError as error:
        raise ValueError(
            f"{name}: got shape {array.shape}, want a shape that broadcasts to {shape}"
        ) from error


def visible_to(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the bool `mask` broadcast to `shape` (True = masked); raise TypeError if not bool."""
    hidden = np.asarray(mask)
    if hidden.dtype != np.bool_:
        raise TypeError(
            f"mask: got dtype {hidden.dtype}, want bool with True = masked; "
            "attnwidget.as_mask makes such a mask from numbers"
        )
    return spread("mask", hidden, shape)


def check_target(name: str, target: Float, shape: tuple[int, ...]) -> None:
    """Raise TypeError or ValueError if a result of `shape` cannot be written into `target`."""
    if not isinstance(target, np.ndarray) or target.dtype.kind != "f":
        got = f"dtype {target.dtype}" if isinstance(target, np.ndarray) else type(target).__name__
        raise TypeError(f"{name}: got {got}, want a NumPy array of floats to write into")
    if target.shape != shape:
        raise ValueError(f"{name}: got shape {target.shape}, want {shape}")
    if not target.flags.writeable:
        raise ValueError(f"{name}: got a read-only array of shape {shape}, want a writable array")


def refuse_nan(s: Float, hidden: NDArray[np.bool_] | None) -> None:
    """Raise ValueError if an unmasked score is NaN."""
    # The maximum is NaN if any score is NaN, and needs no temporary array.
    if not np.isnan(s.max()):
        return
    bad = np.isnan(s) if hidden is None else np.isnan(s) & ~hidden
    if bad.any():
        where = tuple(int(axis) for axis in np.argwhere(bad)[0])
        raise ValueError(f"scores: got NaN at {where}, want numbers where no mask hides them")
