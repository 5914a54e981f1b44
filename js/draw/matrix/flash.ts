/** Cells that have changed light up once. */
import { h } from "../../ui/dom";
import { contextOf, resizeCanvas } from "../canvas-view";
import { type Block, TITLE } from "./block";

/** Light up the cells for which `isChanged` holds; the stylesheet lets the light fade. */
export function flash(
  grid: HTMLElement,
  { left, top, cw, ch, width, height, rowSlots, colSlots }: Block,
  isChanged: (row: number, col: number) => boolean,
  color: string,
): void {
  grid.querySelector(".aw-flash")?.remove();
  grid.dataset.flashed = "0";
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const canvas = h("canvas", { class: "aw-flash" });
  resizeCanvas(canvas, width, height - TITLE);
  const context = contextOf(canvas);
  context.fillStyle = color;
  let count = 0;
  for (const [y, row] of rowSlots.indices.entries()) {
    let start: number | null = null;
    // Neighbours are filled together, because a large map has many.
    for (let x = 0; x <= colSlots.indices.length; x++) {
      const col = colSlots.indices[x] ?? null;
      const isLit = row !== null && col !== null && isChanged(row, col);
      if (isLit) start ??= x;
      else if (start !== null) {
        context.fillRect(left + start * cw, top - TITLE + y * ch, (x - start) * cw, ch);
        count += x - start;
        start = null;
      }
    }
  }
  grid.dataset.flashed = String(count);
  canvas.addEventListener("animationend", () => canvas.remove());
  grid.append(canvas);
}
