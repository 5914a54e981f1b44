"""The card's colour maps as tables of 256 colours; js/draw/ramps.ts has the same digits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# 33 colours from 0 to 1 for each map, as hex digits. A test compares them with the card's.
RAMPS = {
    "viridis": (
        "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e"
        "26828e23898e21918c1f988b1fa08822a78528ae8032b67a3fbc734ec36b5ec96270cf5784d44b98d83e"
        "addc30c2df23d8e219ece51bfde725"
    ),
    "magma": (
        "0000040303120a0822130d341d114729115a36106b440f7651127c5d177f6a1c81762181832681902a81"
        "9c2e7faa337db73779c43c75d0416fdc4869e75263ef5d5ef56b5cf9795dfc8961fd9869fea772feb67c"
        "fec488fed395fde2a3fcf0b2fcfdbf"
    ),
    "inferno": (
        "0000040403120b0724150b37210c4a2f0a5b3d09654a0c6b57106e64156e71196e7d1e6d8a226a972766"
        "a32c61b0315bbc3754c73e4cd24644db503be45a31eb6628f1731df68013f98e09fb9d07fcac11fbbc21"
        "f9cb35f5db4cf2ea69f3f68afcffa4"
    ),
    "plasma": (
        "0d08872206903105973f049c4c02a15901a56600a77201a87e03a88a09a59511a1a01a9caa2395b32c8e"
        "bc3587c43e7fcc4778d35171da5a6ae06363e66c5ceb7655f0804ef58b47f89540fba139fdac33feb82c"
        "fdc527fcd225f8df25f4ed27f0f921"
    ),
    "cividis": (
        "00205100265d012b6508316911366c1c3c6e26426e31476e3c4d6e47536d51586e5a5e6e62646f6a6a70"
        "7270717976737f7c758682768c8877938e789a9478a19b78a9a177b2a874bbaf71c5b66dcebd68d8c462"
        "e2cb5cebd355f3da4ffae249fdea45"
    ),
    "turbo": (
        "23171b3e2a71493eae4a53d74569ee3c7ff83295f72ba9ef26bce125cdcf29dcbc32e9a73ff39350f980"
        "65fd6e7cfd5e95fb51adf545c5ec3cdae034ecd12efac029ffad24ff9821ff821dfd6c1af05616df4111"
        "cb2f0db61f07a31302950c00900c00"
    ),
    "greys": (
        "fffffffbfbfbf7f7f7f3f3f3efefefeaeaeae4e4e4dededed8d8d8d2d2d2cbcbcbc3c3c3bbbbbbb2b2b2"
        "a9a9a9a0a0a09797978e8e8e8585857c7c7c7373736b6b6b6262625959595050504646463b3b3b313131"
        "2626261c1c1c131313090909000000"
    ),
    "blues": (
        "f7fbfff1f7fdebf3fbe4eff9deebf7d8e7f5d2e3f3cbdff1c3dbeebbd7ebb1d2e8a7cde59cc8e291c2de"
        "84bcdb78b5d86daed561a7d257a0ce4d99ca4391c63a89c23281bd2a79b92271b41b69ae1561a81059a1"
        "0c51980a498e09408308387708306b"
    ),
}
# Blue below 0, red above, white at 0: ColorBrewer's RdBu, which colour-blind readers can use.
SIGNED = "0530612166ac4393c392c5ded1e5f0f7f7f7fddbc7f4a582d6604db2182b67001f"
# White to black: on paper without colours, the grey of a number shows its place in the order.
SIGNED_GREYS = "ffffff000000"


@cache
def table(stops: str) -> NDArray[np.uint8]:
    """Return 256 colours (256, 3) between evenly spaced stops of six hex digits each."""
    colors = np.frombuffer(bytes.fromhex(stops), np.uint8).reshape(-1, 3).astype(np.float64)
    last = len(colors) - 1
    at = np.arange(256) / 255 * last
    stop = np.minimum(last - 1, np.floor(at)).astype(int)
    mixed = colors[stop] + (colors[stop + 1] - colors[stop]) * (at - stop)[:, None]
    rounded = np.rint(mixed).astype(np.uint8)
    rounded.setflags(write=False)
    return rounded


def indices(shares: NDArray) -> NDArray[np.intp]:
    """Return the places of shares from 0 to 1 in a table; NaN has the first place."""
    inside = np.clip(np.nan_to_num(shares, nan=0.0), 0, 1)
    return np.floor(inside * 255 + 0.5).astype(np.intp)


def hexadecimal(color: NDArray | tuple[int, int, int]) -> str:
    """Return a colour as "#rrggbb"."""
    return "#" + bytes(int(channel) for channel in color).hex()


def is_light(colors: NDArray) -> NDArray[np.bool_]:
    """Whether dark ink reads better than light ink on colours (..., 3): WCAG's luminance."""
    s = np.asarray(colors, np.float64) / 255
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    light: NDArray[np.bool_] = linear @ np.array([0.2126, 0.7152, 0.0722]) > 0.179
    return light
