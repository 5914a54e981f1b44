/** Cells that have changed light up once. */
import type { Store } from "../../state/store";
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { contextOf, resizeCanvas } from "../canvas-view";

/** The cells that are drawn, and where, in CSS pixels; null for a row or a column that is left out. */
export interface Area {
  left: number;
  top: number;
  cw: number;
  ch: number;
  rows: readonly (number | null)[];
  cols: readonly (number | null)[];
}

/** Light up the cells for which `isChanged` holds, on a canvas of their own; the stylesheet lets the light fade. Return their number. */
export function flash(
  host: HTMLElement,
  { left, top, cw, ch, rows, cols }: Area,
  isChanged: (row: number, col: number) => boolean,
  color: string,
): number {
  host.querySelector(".aw-flash")?.remove();
  host.dataset.flashed = "0";
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return 0;
  const canvas = h("canvas", { class: "aw-flash" });
  resizeCanvas(canvas, cols.length * cw, rows.length * ch);
  canvas.style.left = `${left}px`;
  canvas.style.top = `${top}px`;
  const context = contextOf(canvas);
  context.fillStyle = color;
  let count = 0;
  for (const [y, row] of rows.entries()) {
    if (row === null) continue;
    let start: number | null = null;
    // Neighbours are filled together, because a large map has many.
    for (let x = 0; x <= cols.length; x++) {
      const col = cols[x] ?? null;
      const isLit = col !== null && isChanged(row, col);
      if (isLit) start ??= x;
      else if (start !== null) {
        context.fillRect(start * cw, y * ch, (x - start) * cw, ch);
        count += x - start;
        start = null;
      }
    }
  }
  if (!count) return 0;
  host.dataset.flashed = String(count);
  canvas.addEventListener("animationend", () => canvas.remove());
  host.append(canvas);
  return count;
}

/** How long a lifted pointer waits for Python's answer, in milliseconds. The light has frames, which delay the answer. */
const AFTER_LIFT = 100;

/**
 * Call `light` once after each edit; it returns the number of cells. A stroke lights up when the pointer is
 * lifted, because it is one edit, and because light under the pointer would hide what the stroke does.
 */
export function createFlasher(
  store: Store,
  light: (color: string) => number,
  request: () => void,
  { listen, after }: Scope,
) {
  const { before } = store;
  let flashed = before.edits;
  /** The edit and the report of a mistake with which no cell lit up. */
  let dark: { edits: number; report: unknown } | null = null;
  let isPressed = false;
  const isDue = () =>
    flashed !== before.edits && (dark?.edits !== before.edits || dark.report !== store.mistake);
  const look = () => {
    if (isDue()) request();
  };
  const lift = () => {
    isPressed = false;
    if (isDue()) after(AFTER_LIFT, look);
  };
  listen(
    document,
    "pointerdown",
    () => {
      isPressed = true;
      look();
    },
    { capture: true },
  );
  for (const kind of ["pointerup", "pointercancel"] as const)
    listen(document, kind, lift, { capture: true });
  /** Let the last edit light up no more. */
  const skip = () => {
    flashed = before.edits;
  };
  return {
    skip,
    /** The picture has been painted. */
    painted(color: string) {
      if (!isDue() || isPressed || store.drafting) return;
      const report = store.mistake;
      if (light(color) || !report) skip();
      // The numbers of a mistake come later, in another report, because Python computes them.
      else dark = { edits: before.edits, report };
    },
  };
}
