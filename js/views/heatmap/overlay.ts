/** What is marked, over the map: hovering repaints this and nothing else. */
import type { Cell } from "../../focus";
import type { Geometry } from "./geometry";
import { columnLabel, type Palette, rowLabel } from "./paint";

export interface Marks {
  cell: Cell | null;
  /** A row or column that a label under the pointer stands for. */
  row: number | null;
  column: number | null;
  /** Opposite corners of what Shift and the arrows have marked. */
  range: readonly [Cell, Cell] | null;
  keyboard: boolean;
}

export function paintOverlay(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  marks: Marks,
): void {
  ctx.clearRect(0, 0, g.width, g.height);
  const rows = marks.cell ? [marks.cell[0]] : marks.row === null ? [] : [marks.row];
  const columns = marks.cell ? [marks.cell[1]] : marks.column === null ? [] : [marks.column];
  const [w, h] = [g.nK * g.cell, g.nQ * g.cell];
  for (const q of rows) outline(ctx, colors, g.left, g.top + q * g.cell, w, g.cell, 1.5);
  for (const k of columns) outline(ctx, colors, g.left + k * g.cell, g.top, g.cell, h, 1.5);
  if (marks.range) {
    const [[q0, k0], [q1, k1]] = marks.range;
    const [q, k] = [Math.min(q0, q1), Math.min(k0, k1)];
    const width = (Math.abs(k1 - k0) + 1) * g.cell;
    const height = (Math.abs(q1 - q0) + 1) * g.cell;
    ctx.save();
    ctx.globalAlpha = 0.25;
    ctx.fillStyle = colors.accent;
    ctx.fillRect(g.left + k * g.cell, g.top + q * g.cell, width, height);
    ctx.restore();
    ring(ctx, colors, g.left + k * g.cell, g.top + q * g.cell, width, height);
  }
  if (marks.cell && (marks.keyboard || g.cell >= 6)) {
    const [q, k] = marks.cell;
    const [x, y] = [g.left + k * g.cell, g.top + q * g.cell];
    if (marks.keyboard) ring(ctx, colors, x, y, g.cell, g.cell);
    else outline(ctx, colors, x, y, g.cell, g.cell, 2.5);
  }
  ctx.font = `600 ${g.font}px ${colors.font}`;
  for (const q of rows) plateRow(ctx, g, colors, q);
  for (const k of columns) plateColumn(ctx, g, colors, k);
}

/** A line that shows on every colour: dark and light side by side. */
function outline(
  ctx: CanvasRenderingContext2D,
  colors: Palette,
  x: number,
  y: number,
  w: number,
  h: number,
  width: number,
): void {
  ctx.lineWidth = width + 1.5;
  ctx.strokeStyle = colors.bg;
  ctx.strokeRect(x, y, w, h);
  ctx.lineWidth = width;
  ctx.strokeStyle = colors.fg;
  ctx.strokeRect(x, y, w, h);
}

function ring(
  ctx: CanvasRenderingContext2D,
  colors: Palette,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  ctx.lineWidth = 5;
  ctx.strokeStyle = colors.bg;
  ctx.strokeRect(x, y, w, h);
  ctx.lineWidth = 3;
  ctx.strokeStyle = colors.accent;
  ctx.strokeRect(x, y, w, h);
}

// The bold label stands on a plate of its own, so that it hides the thin one and its neighbours.
function plateRow(ctx: CanvasRenderingContext2D, g: Geometry, colors: Palette, q: number): void {
  const width = Math.min(ctx.measureText(g.queries[q] as string).width + 4, g.left - 10);
  const height = g.font + 4;
  ctx.fillStyle = colors.bg;
  ctx.fillRect(g.left - 7 - width, g.top + (q + 0.5) * g.cell - height / 2, width + 3, height);
  ctx.fillStyle = colors.fg;
  rowLabel(ctx, g, q);
}

function plateColumn(ctx: CanvasRenderingContext2D, g: Geometry, colors: Palette, k: number): void {
  const width = ctx.measureText(g.keys[k] as string).width + 4;
  const x = g.left + (k + 0.5) * g.cell;
  ctx.fillStyle = colors.bg;
  if (g.vertical) {
    const height = g.font + 4;
    ctx.fillRect(x - height / 2, g.top - 5 - width, height, width + 2);
  } else {
    ctx.fillRect(x - width / 2, g.top - 9 - g.font, width, g.font + 6);
  }
  ctx.fillStyle = colors.fg;
  columnLabel(ctx, g, k);
}
