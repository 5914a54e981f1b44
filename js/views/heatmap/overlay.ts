/** The marks, on a canvas over the map, because hovering then repaints this canvas only. */

import type { Palette } from "../../draw/palette";
import type { Cell } from "../../ui/focus";
import type { Geometry } from "./geometry";
import { type KnockOutMarks, paintKnockOuts, paintReach } from "./knock-outs";
import type { Marks } from "./marks";
import { columnLabel, rowLabel, turnAtColumn } from "./paint";

export function paintOverlay(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  marks: Marks,
  empty: readonly number[],
  pinned: Cell | null,
  knockOuts: KnockOutMarks,
): void {
  ctx.clearRect(0, 0, g.width, g.height);
  paintKnockOuts(ctx, g, colors, { ...knockOuts, preview: [] });
  const rows = marks.cell ? [marks.cell[0]] : marks.row === null ? [] : [marks.row];
  const columns = marks.cell ? [marks.cell[1]] : marks.column === null ? [] : [marks.column];
  const [w, h] = [g.nK * g.cell, g.nQ * g.cell];
  // The frame around a small cell is thin and lies outside the cell, because a thick frame would cover the colour.
  const width = g.cell < 12 ? Math.max(0.6, g.cell / 12) : 1.5;
  const margin = g.cell < 12 ? 1 : 0;
  for (const q of rows) {
    const y = g.top + q * g.cell - margin;
    outline(ctx, colors, g.left, y, w, g.cell + 2 * margin, width);
  }
  for (const k of columns) {
    const x = g.left + k * g.cell - margin;
    outline(ctx, colors, x, g.top, g.cell + 2 * margin, h, width);
  }
  if (marks.range) {
    const [[q0, k0], [q1, k1]] = marks.range;
    const [q, k] = [Math.min(q0, q1), Math.min(k0, k1)];
    const across = (Math.abs(k1 - k0) + 1) * g.cell;
    const down = (Math.abs(q1 - q0) + 1) * g.cell;
    ctx.save();
    ctx.globalAlpha = 0.25;
    ctx.fillStyle = colors.accent;
    ctx.fillRect(g.left + k * g.cell, g.top + q * g.cell, across, down);
    ctx.restore();
    ring(ctx, colors, g.left + k * g.cell, g.top + q * g.cell, across, down);
  }
  if (g.cell >= 15) for (const q of empty) paintEmptyRow(ctx, g, q, colors);
  if (marks.cell && (marks.keyboard || g.cell >= 12)) {
    const [q, k] = marks.cell;
    const [x, y] = [g.left + k * g.cell, g.top + q * g.cell];
    if (marks.keyboard) ring(ctx, colors, x, y, g.cell, g.cell);
    else outline(ctx, colors, x, y, g.cell, g.cell, 2.5);
  }
  if (pinned)
    ring(ctx, colors, g.left + pinned[1] * g.cell, g.top + pinned[0] * g.cell, g.cell, g.cell);
  paintKnockOuts(ctx, g, colors, { ...knockOuts, out: [] });
  ctx.font = `600 ${g.font}px ${colors.font}`;
  for (const q of rows) paintBoldRowLabel(ctx, g, colors, q);
  for (const k of columns) paintBoldColumnLabel(ctx, g, colors, k);
  paintReach(ctx, g, colors, knockOuts.reach);
}

/** A frame that is visible on every colour, because it has a dark and a light line. */
function outline(
  ctx: CanvasRenderingContext2D,
  colors: Palette,
  x: number,
  y: number,
  w: number,
  h: number,
  width: number,
  color = colors.fg,
  margin = 1.5,
): void {
  ctx.lineWidth = width + margin;
  ctx.strokeStyle = colors.bg;
  ctx.strokeRect(x, y, w, h);
  ctx.lineWidth = width;
  ctx.strokeStyle = color;
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
  outline(ctx, colors, x, y, w, h, 3, colors.accent, 2);
}

/** The labels that the bold label of `at` would touch, and the label of `at`: a plate covers them. */
function* coveredLabels(at: number, n: number, g: Geometry): Generator<number> {
  const reach = Math.floor((g.font + 3) / g.cell);
  for (let i = Math.max(0, at - reach); i <= Math.min(n - 1, at + reach); i++) {
    if (i === at || i % g.step === 0) yield i;
  }
}

function paintBoldRowLabel(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  q: number,
): void {
  const height = g.font + 4;
  ctx.fillStyle = colors.bg;
  for (const i of coveredLabels(q, g.nQ, g)) {
    const width = ctx.measureText(g.queries[i]).width + 4;
    ctx.fillRect(g.left - 7 - width, g.top + (i + 0.5) * g.cell - height / 2, width + 3, height);
  }
  ctx.fillStyle = colors.fg;
  rowLabel(ctx, g, q);
}

function paintBoldColumnLabel(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  k: number,
): void {
  ctx.fillStyle = colors.bg;
  const height = g.font + 4;
  for (const i of g.turn ? coveredLabels(k, g.nK, g) : [k]) {
    const width = ctx.measureText(g.keys[i]).width + 4;
    ctx.save();
    if (g.keyLabels[i] === "upright") {
      ctx.fillRect(g.left + (i + 0.5) * g.cell - width / 2, g.top - 9 - g.font, width, g.font + 6);
    } else {
      turnAtColumn(ctx, g, i);
      ctx.fillRect(-1, -height / 2, width, height);
    }
    ctx.restore();
  }
  ctx.fillStyle = colors.fg;
  columnLabel(ctx, g, k);
}

function paintEmptyRow(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  q: number,
  colors: Palette,
): void {
  ctx.save();
  ctx.font = `${Math.min(12, g.cell - 4)}px ${colors.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const words = ["every key is masked: no attention", "every key is masked", "no key"].find(
    (text) => ctx.measureText(text).width + 16 <= g.nK * g.cell,
  );
  if (words) {
    const width = ctx.measureText(words).width + 12;
    const [x, y] = [g.left + (g.nK * g.cell) / 2, g.top + (q + 0.5) * g.cell];
    const height = Math.min(20, g.cell - 2);
    ctx.fillStyle = colors.masked;
    ctx.fillRect(x - width / 2, y - height / 2, width, height);
    ctx.fillStyle = colors.fg;
    ctx.fillText(words, x, y + 0.5);
  }
  ctx.restore();
}
