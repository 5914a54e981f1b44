/** A small map: one pixel a cell, enlarged by the page. */
import { type Lut, lutIndex, parseColor } from "./color";

/** `share` says where a cell lies in the table, null where it is masked. */
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
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
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
