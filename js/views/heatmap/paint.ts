/** The pixels of the map: an image of the cells, with labels, hatching and numbers drawn over it. */

import type { Lut } from "../../draw/color";
import { hatch, SMALLEST_HATCHED } from "../../draw/hatch";
import { fillLabel } from "../../draw/label";
import type { Palette } from "../../draw/palette";
import { differenceText, fixed } from "../../explain/numbers";
import { shownQuantity } from "../../state/quantity";
import type { Store } from "../../state/store";
import { paintBar } from "./bar";
import type { Cells } from "./cells";
import type { Geometry } from "./geometry";
import type { Image } from "./image";

/** Paint the map, or only the rows in `changed`. */
export function paintMap(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  store: Store,
  cells: Cells,
  image: Image,
  table: Lut,
  colors: Palette,
  ceiling: number,
  changed: ReadonlySet<number> | null,
): void {
  const rows = changed ? [...changed] : Array.from({ length: g.nQ }, (_, q) => q);
  if (changed) {
    for (const q of rows) ctx.clearRect(g.left, g.top + q * g.cell, g.nK * g.cell, g.cell);
  } else {
    ctx.clearRect(0, 0, g.width, g.height);
    paintTitles(ctx, g, colors);
    paintLabels(ctx, g, colors, store);
    paintBar(ctx, g, table, colors, ceiling, cells, shownQuantity(store));
  }
  paintCells(ctx, g, image, changed);
  if (g.cell >= SMALLEST_HATCHED) paintHatch(ctx, g, store, cells, colors, rows);
  if (g.cell >= 12) paintGaps(ctx, g, colors, rows);
  paintValues(ctx, g, cells, image, colors, rows);
}

function paintCells(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  image: Image,
  changed: ReadonlySet<number> | null,
): void {
  const { canvas } = image;
  const w = g.nK * g.cell;
  ctx.imageSmoothingEnabled = false;
  if (!changed) ctx.drawImage(canvas, g.left, g.top, w, g.nQ * g.cell);
  for (const q of changed ?? []) {
    ctx.drawImage(canvas, 0, q, g.nK, 1, g.left, g.top + q * g.cell, w, g.cell);
  }
}

function paintTitles(ctx: CanvasRenderingContext2D, g: Geometry, colors: Palette): void {
  ctx.fillStyle = colors.muted;
  ctx.font = `11.5px ${colors.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const [across, down] = [g.nK * g.cell, g.nQ * g.cell];
  const columns = "key (what is looked at)";
  ctx.fillText(ctx.measureText(columns).width > across ? "key" : columns, g.left + across / 2, 9);
  ctx.save();
  ctx.translate(9, g.top + down / 2);
  ctx.rotate(-Math.PI / 2);
  const rows = "query (who looks)";
  ctx.fillText(ctx.measureText(rows).width > down ? "query" : rows, 0, 0);
  ctx.restore();
}

function paintLabels(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  store: Store,
): void {
  const setStyle = (side: "query" | "key", i: number) => {
    const special = store.isSpecial(side, i);
    const generated = store.isGenerated(side, i);
    ctx.fillStyle = special ? colors.muted : generated ? colors.accent : colors.fg;
    ctx.font = `${special ? "italic " : ""}${generated ? 600 : 400} ${g.font}px ${colors.font}`;
  };
  for (let q = 0; q < g.nQ; q += g.step) {
    setStyle("query", q);
    rowLabel(ctx, g, q);
  }
  for (let k = 0; k < g.nK; k += g.step) {
    setStyle("key", k);
    columnLabel(ctx, g, k);
  }
}

export function rowLabel(ctx: CanvasRenderingContext2D, g: Geometry, q: number): void {
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  fillLabel(ctx, g.queries[q], g.left - 8, g.top + (q + 0.5) * g.cell);
}

export function columnLabel(ctx: CanvasRenderingContext2D, g: Geometry, k: number): void {
  const x = g.left + (k + 0.5) * g.cell;
  const place = g.keyLabels[k];
  if (place === "upright") {
    ctx.textAlign = "center";
    ctx.textBaseline = "alphabetic";
    fillLabel(ctx, g.keys[k], x, g.top - 8);
    return;
  }
  ctx.save();
  turnAtColumn(ctx, g, k);
  ctx.textBaseline = "middle";
  if (place === "single") {
    ctx.translate(g.font * 0.4, 0);
    ctx.rotate((g.turn * Math.PI) / 180);
  }
  ctx.textAlign = place === "single" ? "center" : "left";
  fillLabel(ctx, g.keys[k], 0, 0.5);
  ctx.restore();
}

/** Put the origin where a turned label begins, and the x axis along the label. */
export function turnAtColumn(ctx: CanvasRenderingContext2D, g: Geometry, k: number): void {
  ctx.translate(g.left + (k + 0.5) * g.cell, g.top - 6);
  ctx.rotate((-g.turn * Math.PI) / 180);
}

/** Hatch masked cells, run by run; cells that the model masks are hatched in both directions. */
function paintHatch(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  store: Store,
  { blank, isDifference }: Cells,
  colors: Palette,
  rows: readonly number[],
): void {
  const { locked } = store;
  // A masked cell that has a difference shows its number on its colour.
  const mask = isDifference ? store.mask.map((on, at) => on && Number(blank[at])) : store.mask;
  const byHand = new Path2D();
  const byModel = new Path2D();
  let isAnyMasked = false;
  for (const q of rows) {
    for (let k = 0; k < g.nK; ) {
      const at = q * g.nK + k;
      if (!mask[at]) {
        k++;
        continue;
      }
      isAnyMasked = true;
      const isLocked = Boolean(locked?.[at]);
      let end = k + 1;
      while (end < g.nK && mask[q * g.nK + end] && Boolean(locked?.[q * g.nK + end]) === isLocked) {
        end++;
      }
      (isLocked ? byModel : byHand).rect(
        g.left + k * g.cell,
        g.top + q * g.cell,
        (end - k) * g.cell,
        g.cell,
      );
      k = end;
    }
  }
  if (!isAnyMasked) return;
  const area = { left: g.left, top: g.top, width: g.nK * g.cell, height: g.nQ * g.cell };
  hatch(ctx, byHand, area, g.cell, colors.hatch);
  hatch(ctx, byModel, area, g.cell, colors.hatch, [1, -1]);
}

function paintGaps(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  rows: readonly number[],
): void {
  ctx.fillStyle = colors.bg;
  const w = g.nK * g.cell;
  for (const q of rows) {
    const y = g.top + q * g.cell;
    for (let k = 1; k < g.nK; k++) ctx.fillRect(g.left + k * g.cell - 0.5, y, 1, g.cell);
    // Half of the line above and below: the rows above and below paint the other halves.
    if (q > 0) ctx.fillRect(g.left, y, w, 0.5);
    if (q < g.nQ - 1) ctx.fillRect(g.left, y + g.cell - 0.5, w, 0.5);
  }
}

function paintValues(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  { data, blank, isDifference }: Cells,
  image: Image,
  colors: Palette,
  rows: readonly number[],
): void {
  const size = g.cell >= 44 ? 13 : g.cell >= 34 ? 11.5 : 10;
  ctx.font = `${size}px ${colors.font}`;
  if (ctx.measureText(isDifference ? "−0.00" : "0.00").width + 6 > g.cell) return;
  const write = isDifference ? differenceText : fixed;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const q of rows) {
    const at = q * g.nK;
    for (let k = 0; k < g.nK; k++) {
      if (blank[at + k] && !Number.isNaN(data[at + k])) continue;
      ctx.fillStyle = image.inkDark(at + k) ? "#101014" : "#ffffff";
      const [x, y] = [g.left + (k + 0.5) * g.cell, g.top + (q + 0.5) * g.cell];
      ctx.fillText(write(data[at + k], 2), x, y + 0.5);
    }
  }
}
