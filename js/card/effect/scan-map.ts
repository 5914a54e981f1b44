/** The map of a scan: a cell for each knock-out, coloured by its effect. */
import { contextOf, resizeCanvas } from "../../draw/canvas-view";
import { cssColor, signedLut } from "../../draw/color";
import { palette } from "../../draw/palette";
import { visible } from "../../explain/tokens";
import { h } from "../../ui/dom";
import type { ScanMessage } from "../../wire/schema";
import type { Env } from "../view";

const ROOM = 300;
const LARGEST_CELL = 26;

/** Where a value of a scan is measured: "layer 1, head 0", or "query 5 “bee”, key 2 “owl”". */
export function placeWords({ axes, labels, shape }: ScanMessage, at: number): string {
  const places = shape.length > 1 ? [Math.floor(at / shape[1]), at % shape[1]] : [at];
  return places
    .map((i, axis) => {
      const label = labels[axis][i];
      return typeof label === "string"
        ? `${axes[axis]} ${i} “${visible(label)}”`
        : `${axes[axis]} ${label}`;
    })
    .join(", ");
}

interface Actions {
  /** The pointer is over a value, or over none. */
  say(at: number | null): void;
  add(at: number): void;
}

export function createScanMap({ listen, theme, signal }: Env, { say, add }: Actions) {
  const canvas = h("canvas", { class: "aw-scan-map", "aria-hidden": "true" });
  let scan: ScanMessage | null = null;
  let cell = 1;

  /** A single axis is a row of cells. */
  const sizeOf = ({ shape }: ScanMessage) => (shape.length > 1 ? shape : [1, shape[0]]);

  function paint() {
    if (!scan) return;
    const [rows, cols] = sizeOf(scan);
    cell = Math.max(2, Math.min(LARGEST_CELL, Math.floor(ROOM / Math.max(rows, cols))));
    resizeCanvas(canvas, cols * cell, rows * cell);
    const context = contextOf(canvas);
    const table = signedLut(theme.dark);
    const colors = palette(canvas);
    const most = Math.max(0, ...scan.values.map((value) => Math.abs(value ?? 0))) || 1;
    const masked = new Set(scan.masked);
    const gap = cell >= 6 ? 1 : 0;
    scan.values.forEach((value, at) => {
      const isGrey = value === null || masked.has(at);
      context.fillStyle = isGrey ? colors.masked : cssColor(table, (value / most + 1) / 2);
      const [row, col] = [Math.floor(at / cols), at % cols];
      context.fillRect(col * cell, row * cell, cell - gap, cell - gap);
    });
  }

  const atOf = (event: MouseEvent): number | null => {
    if (!scan) return null;
    const box = canvas.getBoundingClientRect();
    const [rows, cols] = sizeOf(scan);
    const row = Math.floor((event.clientY - box.top) / cell);
    const col = Math.floor((event.clientX - box.left) / cell);
    return row >= 0 && row < rows && col >= 0 && col < cols ? row * cols + col : null;
  };
  listen(canvas, "pointermove", (event) => say(atOf(event)));
  listen(canvas, "pointerleave", () => say(null));
  listen(canvas, "click", (event) => {
    const at = atOf(event);
    if (at !== null) add(at);
  });
  theme.subscribe(paint, signal);

  return {
    element: canvas,
    show(next: ScanMessage) {
      scan = next;
      paint();
    },
  };
}
