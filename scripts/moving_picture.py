"""An animated WebP of screenshots: Chromium encodes what changes, and Python joins the parts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The rectangle in which a screenshot differs from the screenshot before, as a lossless WebP;
# null if the two are equal. The format asks for even corners.
ENCODE = """async png => {
  const bytes = Uint8Array.from(atob(png), byte => byte.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: 'none' });
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const before = globalThis.pixelsBefore;
  globalThis.pixelsBefore = pixels;
  let [left, top, right, bottom] = before ? [width, height, 0, 0] : [0, 0, width, height];
  for (let i = 0; before && i < pixels.length; i++) {
    if (pixels[i] === before[i]) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
  }
  if (right <= left) return null;
  [left, top] = [left - left % 2, top - top % 2];
  const part = new OffscreenCanvas(right - left, bottom - top);
  part.getContext('2d', { alpha: false }).drawImage(image, -left, -top);
  const blob = await part.convertToBlob({ type: 'image/webp', quality: 1 });
  const data = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (const byte of data) text += String.fromCharCode(byte);
  return { left, top, width: right - left, height: bottom - top, data: btoa(text) };
}"""
HEADER = 12  # "RIFF", a length, "WEBP"
PIXELS = (b"VP8 ", b"VP8L", b"ALPH")  # the chunks that a frame may have


class Frame(NamedTuple):
    """A rectangle of pixels, how long it stays, and its WebP chunks."""

    left: int
    top: int
    width: int
    height: int
    ms: int
    chunks: bytes


class MovingPicture:
    """Screenshots one after the other, each shown for some milliseconds."""

    def __init__(self, encoder: Page) -> None:
        """Encode in the page `encoder`, which may be empty."""
        self._encoder = encoder
        self._encoder.evaluate("() => { globalThis.pixelsBefore = null; }")
        self._frames: list[Frame] = []

    def add(self, png: bytes, ms: int) -> None:
        """Append a screenshot. If nothing has changed, the frame before stays longer."""
        part: dict[str, Any] | None = self._encoder.evaluate(ENCODE, base64.b64encode(png).decode())
        if part is None:
            self._frames[-1] = self._frames[-1]._replace(ms=self._frames[-1].ms + ms)
            return
        place = (int(part[name]) for name in ("left", "top", "width", "height"))
        self._frames.append(Frame(*place, ms, _pixels(base64.b64decode(part["data"]))))

    def webp(self) -> bytes:
        """Return the file, which starts again for ever."""
        size = _int24(self._frames[0].width - 1) + _int24(self._frames[0].height - 1)
        is_animated = 0b10
        body = _chunk(b"VP8X", bytes([is_animated, 0, 0, 0]) + size)
        body += _chunk(b"ANIM", b"\xff\xff\xff\xff" + bytes(2))  # white, without an end
        for frame in self._frames:
            place = (frame.left // 2, frame.top // 2, frame.width - 1, frame.height - 1, frame.ms)
            replaces_pixels = 0b10
            numbers = b"".join(map(_int24, place)) + bytes([replaces_pixels])
            body += _chunk(b"ANMF", numbers + frame.chunks)
        return _chunk(b"RIFF", b"WEBP" + body)


def _pixels(webp: bytes) -> bytes:
    """Return the chunks of a still picture that have its pixels."""
    chunks, start = b"", HEADER
    while start < len(webp):
        length = int.from_bytes(webp[start + 4 : start + 8], "little")
        end = start + 8 + length + length % 2
        if webp[start : start + 4] in PIXELS:
            chunks += webp[start:end]
        start = end
    return chunks


def _int24(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)
