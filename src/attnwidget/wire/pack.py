"""Arrays as bytes: the one module that knows how a map crosses to the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from attnwidget.sources.stacks import Layer


def pack(array: NDArray | None) -> dict[str, Any] | None:
    """Return `array` as ``{data, dtype, shape}``: C-contiguous, little-endian.

    Floats travel as float32, booleans as uint8, integers as int32. None stays None.
    """
    if array is None:
        return None
    dtype = {"f": "float32", "b": "uint8", "i": "int32", "u": "uint8"}[array.dtype.kind]
    little = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    return {
        "data": little.reshape(-1).view(np.uint8).data,
        "dtype": dtype,
        "shape": list(array.shape),
    }


def pack_layers(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """Return layers as JSON has them; a stack goes by its display name."""
    names = ("index", "module", "stack", "n_heads", "n_kv_heads", "proved")
    return [{name: getattr(layer, name) for name in names} for layer in layers]
