/** The pixels of the map: an image of the cells, with labels, hatching and numbers drawn over it. */
import { contextOf } from "../../draw/canvas-view";
import { isLight, type Lut, lutIndex, parseColor } from "../../draw/color";
import type { Palette } from "../../draw/palette";
import { fixed } from "../../explain/numbers";
import { largest, largestSize } from "../../maths/extent";
import { blankCells, quantityMap, shownQuantity } from "../../state/quantity";
import { isSigned, shareOf, shownScale } from "../../state/scale";
import type { Store } from "../../state/store";
import { paintBar } from "./bar";
import type { Geometry } from "./geometry";

/** An image with a pixel for each cell, kept between paints, because a change then costs only the rows that changed. */
export function createImage() {
  const canvas = document.createElement("canvas");
  const context = contextOf(canvas);
  let image: ImageData | null = null;
  /** The largest number of each row, and of the map: a change in one row need not change the others' colours. */
  let tops = new Float32Array(0);
  let ceiling = Number.NaN;

  return {
    canvas,
    /**
     * Colour the pixels of `rows`, of all rows for null. Returns the value that gets the last colour
     * of the table, and the rows that were coloured: all of them where that value has changed.
     */
    update(
      store: Store,
      table: Lut,
      masked: string,
      rows: ReadonlySet<number> | null,
    ): { ceiling: number; rows: ReadonlySet<number> | null } {
      const [nQ, nK] = [store.nQ, store.nK];
      const fresh = !image || image.width !== nK || image.height !== nQ;
      if (!image || fresh) {
        canvas.width = nK;
        canvas.height = nQ;
        image = context.createImageData(nK, nQ);
        tops = new Float32Array(nQ);
      }
      const { data } = quantityMap(store);
      const mask = blankCells(store);
      const scale = shownScale(store);
      const signed = isSigned(store);
      const every = Array.from({ length: nQ }, (_, q) => q);
      const changed = rows === null || fresh ? null : rows;
      for (const q of changed ?? every) {
        const [from, to] = [q * nK, (q + 1) * nK];
        const row = data.subarray(from, to);
        tops[q] = signed ? largestSize(row, mask.subarray(from, to)) : largest(row);
      }
      const before = ceiling;
      ceiling = scale === "map" || scale === "sqrt" ? largest(tops) : 1;
      const some = ceiling === before ? changed : null;
      const [mr, mg, mb] = parseColor(masked);
      let first = nQ;
      let last = -1;
      for (const q of some ?? every) {
        const at = q * nK;
        const top = scale === "row" ? tops[q] : ceiling;
        for (let k = 0; k < nK; k++) {
          const p = (at + k) * 4;
          if (mask[at + k]) {
            image.data[p] = mr;
            image.data[p + 1] = mg;
            image.data[p + 2] = mb;
          } else {
            const c = lutIndex(shareOf(data[at + k], top, scale, signed)) * 3;
            image.data[p] = table[c];
            image.data[p + 1] = table[c + 1];
            image.data[p + 2] = table[c + 2];
          }
          image.data[p + 3] = 255;
        }
        first = Math.min(first, q);
        last = Math.max(last, q);
      }
      if (last >= 0) context.putImageData(image, 0, 0, 0, first, nK, last - first + 1);
      return { ceiling, rows: some };
    },
    /** Whether dark text reads better on this cell. */
    inkDark(cell: number): boolean {
      const d = (image as ImageData).data;
      return isLight(d[cell * 4], d[cell * 4 + 1], d[cell * 4 + 2]);
    },
  };
}

export type Image = ReturnType<typeof createImage>;

/** Paint the map, or only the rows in `changed`. */
export function paintMap(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  store: Store,
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
    paintBar(ctx, g, table, colors, ceiling, shownScale(store), shownQuantity(store));
  }
  paintCells(ctx, g, image, changed);
  if (g.cell >= 6) paintHatch(ctx, g, store, colors, rows);
  if (g.cell >= 12) paintGaps(ctx, g, colors, rows);
  paintValues(ctx, g, store, image, colors, rows);
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
  ctx.fillText(g.queries[q], g.left - 8, g.top + (q + 0.5) * g.cell);
}

export function columnLabel(ctx: CanvasRenderingContext2D, g: Geometry, k: number): void {
  const x = g.left + (k + 0.5) * g.cell;
  const place = g.keyLabels[k];
  if (place === "upright") {
    ctx.textAlign = "center";
    ctx.textBaseline = "alphabetic";
    ctx.fillText(g.keys[k], x, g.top - 8);
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
  ctx.fillText(g.keys[k], 0, 0.5);
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
  colors: Palette,
  rows: readonly number[],
): void {
  const { mask, locked } = store;
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
  // The lines run over the whole map, whichever rows are painted, because they must meet the lines of the other rows.
  for (const [path, directions] of [
    [byHand, [1]],
    [byModel, [1, -1]],
  ] as const) {
    ctx.save();
    ctx.clip(path);
    ctx.strokeStyle = colors.hatch;
    ctx.lineWidth = 1;
    ctx.beginPath();
    const [w, h] = [g.nK * g.cell, g.nQ * g.cell];
    const step = g.cell >= 24 ? 8 : 6;
    for (const direction of directions) {
      for (let d = -h; d < w + h; d += step) {
        ctx.moveTo(g.left + d, g.top + (direction > 0 ? h : 0));
        ctx.lineTo(g.left + d + h, g.top + (direction > 0 ? 0 : h));
      }
    }
    ctx.stroke();
    ctx.restore();
  }
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
  store: Store,
  image: Image,
  colors: Palette,
  rows: readonly number[],
): void {
  const size = g.cell >= 44 ? 13 : g.cell >= 34 ? 11.5 : 10;
  ctx.font = `${size}px ${colors.font}`;
  if (ctx.measureText("0.00").width + 6 > g.cell) return;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const { data } = quantityMap(store);
  const blank = blankCells(store);
  for (const q of rows) {
    const at = q * g.nK;
    for (let k = 0; k < g.nK; k++) {
      if (blank[at + k] && !Number.isNaN(data[at + k])) continue;
      ctx.fillStyle = image.inkDark(at + k) ? "#101014" : "#ffffff";
      const [x, y] = [g.left + (k + 0.5) * g.cell, g.top + (q + 0.5) * g.cell];
      ctx.fillText(fixed(data[at + k], 2), x, y + 0.5);
    }
  }
}
