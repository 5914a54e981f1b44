/** A small map: a pixel for each cell, which the stylesheet enlarges. */
import { contextOf } from "./canvas-view";
import { type Lut, lutIndex, parseColor } from "./color";

/** `share` returns the place of a cell in the table of colours, 0..1; null for a masked cell. */
export function paintThumb(
  canvas: HTMLCanvasElement,
  rows: number,
  cols: number,
  share: (at: number) => number | null,
  table: Lut,
  masked: string,
): void {
  canvas.width = cols;
  canvas.height = rows;
  const context = contextOf(canvas);
  const image = context.createImageData(cols, rows);
  const grey = parseColor(masked);
  for (let at = 0; at < rows * cols; at++) {
    const value = share(at);
    const color =
      value === null ? grey : table.subarray(lutIndex(value) * 3, lutIndex(value) * 3 + 3);
    for (let i = 0; i < 3; i++) image.data[at * 4 + i] = color[i];
    image.data[at * 4 + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
