"""Names for positions that are no text: patches of an image, frames of a sound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def patches(n: int, config: Any, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a label for each of `n` positions of an image tower: "row,column", extras first.

    The image's own size is taken where `inputs` have it, else the one of `config`. Positions
    beyond the patches stand before them, as class tokens and registers do.
    """
    thw = inputs.get("image_grid_thw")
    if thw is not None:
        merge = getattr(config, "spatial_merge_size", 1)
        return _images([(t, h, w, merge) for t, h, w in thw.tolist()], n)
    rows, columns = _grid(config, inputs)
    extra = n - rows * columns
    if not 0 <= extra <= 8 or not rows * columns:
        # A window of an image, or a grid that isn't known: a square, where it is one.
        rows = columns = math.isqrt(n)
        extra = n - rows * columns
        if extra:
            return frames(n, "patch")
    first = ["CLS", *(f"register {i}" for i in range(1, extra))][:extra]
    return (*first, *(f"{r},{c}" for r in range(rows) for c in range(columns)))


def image_tokens(n: int, config: Any, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a label for each of an image's `n` tokens among those of a text."""
    thw = inputs.get("image_grid_thw")
    if thw is not None:
        merge = getattr(config, "spatial_merge_size", 1)
        return _images([(t, h // merge, w // merge, 1) for t, h, w in thw.tolist()], n)
    return patches(n, config, {})


def frames(n: int, word: str = "frame") -> tuple[str, ...]:
    """Return "frame 0", "frame 1", ..."""
    return tuple(f"{word} {i}" for i in range(n))


def _grid(config: Any, inputs: Mapping[str, Any]) -> tuple[int, int]:
    pixels = inputs.get("pixel_values")
    size = getattr(config, "image_size", None)
    if pixels is not None and pixels.ndim >= 4:
        size = [int(x) for x in pixels.shape[-2:]]
    height, width = _pair(size)
    down, across = _pair(getattr(config, "patch_size", None))
    return (height // down, width // across) if down and across else (0, 0)


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return int(size[0]), int(size[1])
    return 0, 0


def _images(sizes: list[tuple[int, int, int, int]], n: int) -> tuple[str, ...]:
    """Return labels of several images' patches, "image:row,column" where there are several."""
    each = [_merged(*size) for size in sizes]
    if len(each) > 1:
        each = [tuple(f"{i}:{name}" for name in names) for i, names in enumerate(each)]
    found = tuple(name for names in each for name in names)
    return found if len(found) == n else frames(n, "patch")


def _merged(t: int, h: int, w: int, merge: int) -> tuple[str, ...]:
    """Qwen2-VL lists patches block by block, merge × merge of them."""
    at = [
        (r * merge + i, c * merge + j)
        for r in range(h // merge)
        for c in range(w // merge)
        for i in range(merge)
        for j in range(merge)
    ]
    return tuple(f"{r},{c}" if t == 1 else f"{k}:{r},{c}" for k in range(t) for r, c in at)
