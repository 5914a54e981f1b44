/** The small maps of heads, with a pixel for each cell; each is drawn once. */
import { contextOf } from "../../draw/canvas-view";
import type { Lut } from "../../draw/color";
import { number } from "../../explain/numbers";
import { h } from "../../ui/dom";
import { type Choice, type Head, statisticOf } from "./data";

export function createThumbs() {
  const canvases = new Map<Head, HTMLCanvasElement>();
  return {
    /** Forget the maps, because the heads or the colours have changed. */
    forget: () => canvases.clear(),
    of(head: Head, table: Lut): HTMLCanvasElement {
      const canvas = canvases.get(head) ?? paint(head, table);
      canvases.set(head, canvas);
      return canvas;
    },
  };
}

/** The button of a head, with map, name and statistic. In a row of a layer the headings say the name. A pale map is out of the reach of the knock-outs. */
export function thumbButton(
  head: Head,
  canvas: HTMLCanvasElement,
  { statistic, sink }: Choice,
  isByLayer: boolean,
  isPale: boolean,
): HTMLButtonElement {
  const value = statisticOf(head, statistic, sink);
  const words = value === null ? "no value" : number(value);
  const name = isByLayer ? "" : `${head.layer}·${head.head}`;
  const attributes = {
    class: isPale ? "aw-thumb aw-out-of-reach" : "aw-thumb",
    "aria-label": `layer ${head.layer}, head ${head.head}, ${statistic} ${words}`,
    "data-layer": head.layer,
    "data-head": head.head,
    "data-value": value,
  };
  return h("button", attributes, canvas, h("span", {}, name, h("i", {}, words)));
}

function paint({ rows, cols, map }: Head, table: Lut): HTMLCanvasElement {
  const canvas = h("canvas", { width: cols, height: rows });
  const context = contextOf(canvas);
  const image = context.createImageData(cols, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < rows * cols; i++) {
    const c = map[i] * 3;
    // The bytes in memory are red, green, blue, alpha.
    pixels[i] = (255 << 24) | (table[c + 2] << 16) | (table[c + 1] << 8) | table[c];
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
