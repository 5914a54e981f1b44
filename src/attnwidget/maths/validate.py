"""Input checks that name the argument, what it was and what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray


def floats(name: str, value: Any, shape: Sequence[int | None] | None = None) -> NDArray:
    """Return `value` as a read-only, finite float64 array of its own.

    `shape` gives the sizes wanted, None where any size will do.

    Raises
        TypeError: if the values are no real numbers.
        ValueError: if the shape is another one, or a value is NaN or infinite.
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
    """Return `value` as an array; a torch tensor comes off its graph and device, widened.

    Raises
        TypeError: if it can't be read as an array.
        ValueError: if its rows have different lengths.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double() if value.is_floating_point() else value
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: its rows have different lengths, want an array") from None
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{name}: it can't be read as an array ({error})") from None


def _fits(got: Sequence[int], want: Sequence[int | None]) -> bool:
    return len(got) == len(want) and all(
        w is None or g == w for g, w in zip(got, want, strict=True)
    )


def describe(shape: Sequence[int | None]) -> str:
    """Return a shape in words: ``(6, any)``."""
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def size(
    name: str, value: Any, *, at_least: int = 1, at_most: int | None = None, why: str = ""
) -> int:
    """Return `value` as an int from `at_least` to `at_most`; `why` says what the limit is for.

    Raises
        TypeError: if it is no whole number.
        ValueError: if it is too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: got {value!r}, want a whole number")
    if value < at_least:
        raise ValueError(f"{name}: got {value}, want at least {at_least}")
    if at_most is not None and value > at_most:
        raise ValueError(f"{name}: got {value}, want at most {at_most}: {why}")
    return int(value)


def index(name: str, value: Any, choices: Collection[int]) -> int:
    """Return `value` if it is one of `choices`.

    Raises
        TypeError: if it is no whole number.
        ValueError: if it is none of them.
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
    """Return `value` as a (query, key) inside a map of `shape`.

    Raises
        TypeError: if it is no pair of whole numbers.
        ValueError: if it lies outside.
    """
    try:
        query, key = value
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {value!r}, want a pair (query, key) or None") from None
    return index(name, query, range(shape[0])), index(name, key, range(shape[1]))


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`.

    Raises
        ValueError: if it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: got {value!r}, want one of {', '.join(choices)}")
    return str(value)


def number(name: str, value: Any, *, at_least: float = -np.inf) -> float:
    """Return `value` as a finite float.

    Raises
        TypeError: if it is no real number.
        ValueError: if it is NaN, infinite or too small.
    """
    if isinstance(value, bool) or (
        isinstance(value, str) or np.ndim(value) or not np.isrealobj(value)
    ):
        raise TypeError(f"{name}: got {value!r}, want a number")
    try:
        got = float(value)
    except OverflowError:
        got = np.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {value!r}, want a number") from None
    if not np.isfinite(got) or got < at_least:
        wanted = "a finite number" if at_least == -np.inf else f"a number of at least {at_least:g}"
        raise ValueError(f"{name}: got {got:g}, want {wanted}")
    return got
