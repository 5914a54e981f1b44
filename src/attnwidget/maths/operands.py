"""Arrays as the maths takes them: what was given, checked and named, never changed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.floating[Any]]


def factor(scale: float | None, d_k: int) -> float:
    """Return `scale` as a finite float, 1/√d_k where it is None."""
    if scale is None:
        return 1 / math.sqrt(d_k)
    try:
        factor = float(scale)
    except (TypeError, ValueError) as error:
        raise TypeError(f"scale must be a number or None, got {scale!r}") from error
    if not math.isfinite(factor):
        raise ValueError(f"scale must be finite, got {factor}")
    return factor


def check_temperature(temperature: float) -> float:
    """Return `temperature` as a finite float of 0 or more."""
    if isinstance(temperature, (str, bytes)):
        raise TypeError(f"temperature must be a number, got {temperature!r}")
    try:
        heat = float(temperature)
    except OverflowError:
        heat = math.inf
    except (TypeError, ValueError) as error:
        raise TypeError(f"temperature must be a number, got {temperature!r}") from error
    if not (math.isfinite(heat) and heat >= 0):
        raise ValueError(f"temperature must be finite and 0 or more, got {heat}")
    return heat


def real(name: str, value: ArrayLike) -> Float:
    """Return `value` as float32 or float64, itself where it already is."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise TypeError(f"{name} must be an array of real numbers, got {kind}: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return array.astype(np.float32 if single else np.float64, copy=False)


def matrices(name: str, value: ArrayLike) -> Float:
    """Return `value` as floats with two or more axes."""
    array = real(name, value)
    if array.ndim < 2:
        raise ValueError(f"{name} must have 2 or more axes (..., n, d), got shape {array.shape}")
    return array


def check_lead(name: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    """Raise ValueError where the leading axes do not broadcast."""
    try:
        np.broadcast_shapes(shape[:-2], other_shape[:-2])
    except ValueError as error:
        raise ValueError(
            f"{name} must have leading axes that broadcast with {other} {other_shape}, got {shape}"
        ) from error


def check_values(v: Float, shape: tuple[int, ...], other: str = "scores") -> None:
    """Raise ValueError where V does not have a row for each key."""
    n_k = shape[-1]
    if v.shape[-2] != n_k:
        raise ValueError(
            f"V must have shape (..., {n_k}, d_v), a row for each key of {other} {shape}, "
            f"got {v.shape}"
        )
    check_lead("V", v.shape, other, shape)


def visible_to(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the bool `mask` broadcast to `shape`; True = masked."""
    hidden = np.asarray(mask)
    if hidden.dtype != np.bool_:
        raise TypeError(
            f"mask must be bool with True = masked, got dtype {hidden.dtype}; "
            "masks.as_mask turns other forms into it"
        )
    try:
        return np.broadcast_to(hidden, shape)
    except ValueError as error:
        raise ValueError(f"mask must broadcast to scores {shape}, got {hidden.shape}") from error


def check_target(name: str, target: Float, shape: tuple[int, ...]) -> None:
    """Raise where `target` cannot be written into."""
    if not isinstance(target, np.ndarray) or target.dtype.kind != "f":
        got = getattr(target, "dtype", type(target).__name__)
        raise TypeError(f"{name} must be a NumPy array of floats to write into, got {got}")
    if target.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {target.shape}")
    if not target.flags.writeable:
        raise ValueError(f"{name} must be writable, got a read-only array of shape {shape}")


def refuse_nan(s: Float, hidden: NDArray[np.bool_] | None) -> None:
    """Raise ValueError for a NaN that no mask hides."""
    # One pass that needs no array of its own: a maximum carries NaN.
    if not np.isnan(s.max()):
        return
    bad = np.isnan(s) if hidden is None else np.isnan(s) & ~hidden
    if bad.any():
        where = tuple(int(axis) for axis in np.argwhere(bad)[0])
        raise ValueError(f"scores must not be NaN where they are not masked, got NaN at {where}")


def same_cells(a: Float, b: Float) -> bool:
    """Whether two arrays are the same memory in the same order."""
    return a is b or (a.ctypes.data == b.ctypes.data and a.strides == b.strides)
