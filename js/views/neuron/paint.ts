/** Paints the rows in sight: a row for each key, compared with the query number by number. */

import { isLight, type Lut, lutIndex } from "../../draw/color";
import { fillLabel } from "../../draw/label";
import type { Palette } from "../../draw/palette";
import { two } from "../../explain/numbers";
import { shorten, visible } from "../../explain/tokens";

import type { Numbers } from "./scene";

export const ROW = 24;
const GAP = 12;
/** Below this width the bars lie under the numbers, and the headings are short. */
const NARROW = 560;
/** The width of a number beside a bar. */
const NUMBER = 44;
/** The width of a column of numbers. */
const columnWidth = (width: number) => (width < NARROW ? 46 : 92);
/** A cell of a vector with this width has room for a number. */
const LEGIBLE = 32;

export interface Scene extends Numbers {
  query: number;
  masked(key: number): boolean;
  keys: readonly string[];
  special(key: number): boolean;
  active: number;
  focused: boolean;
  scroll: number;
  width: number;
  height: number;
  table: Lut;
}

/** Where the parts of a row begin, and the widths of tokens (`token`) and vectors (`strip`). */
export interface Columns {
  token: number;
  strip: number;
  k: number;
  product: number;
  numbers: number;
}

export function columnsOf(width: number, count: number): Columns {
  const token = Math.min(120, width * 0.16);
  const numbers = width - count * columnWidth(width);
  const strip = Math.max(8, (numbers - token - 3 * GAP) / 2);
  return { token, strip, k: token + GAP, product: token + 2 * GAP + strip, numbers };
}

export function paintNeuron(ctx: CanvasRenderingContext2D, scene: Scene, colors: Palette): void {
  const { width, height, scroll, K } = scene;
  ctx.clearRect(0, 0, width, height);
  const at = columnsOf(width, scene.columns.length);
  const first = Math.max(0, Math.floor(scroll / ROW));
  const last = Math.min(K.rows - 1, Math.ceil((scroll + height) / ROW));
  for (let key = first; key <= last; key++)
    paintRow(ctx, scene, colors, at, key, key * ROW - scroll);
}

function paintRow(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  colors: Palette,
  at: Columns,
  key: number,
  y: number,
): void {
  const { Q, K, query, table } = scene;
  const isMasked = scene.masked(key);
  ctx.globalAlpha = isMasked ? 0.35 : 1;
  const special = scene.special(key);
  ctx.font = `${special ? "italic " : ""}${key === scene.active ? 650 : 400} 13px ${colors.font}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  ctx.fillStyle = special ? colors.muted : colors.fg;
  const measure = (text: string) => ctx.measureText(text).width;
  fillLabel(ctx, shorten(visible(scene.keys[key]), at.token - 4, measure), at.token, y + ROW / 2);
  const k = (c: number) => K.data[key * K.cols + c];
  const product = (c: number) => Q.data[query * Q.cols + c] * k(c);
  const strip = (x: number, value: (c: number) => number, largest: number) =>
    paintStrip(ctx, [x, y, at.strip, K.cols], table, colors, value, largest);
  strip(at.k, k, scene.largest);
  strip(at.product, product, scene.largestProduct);
  const isNarrow = scene.width < NARROW;
  scene.columns.forEach(({ values, largest, signed, isWeight, format }, i) => {
    const value = values[key];
    const room = columnWidth(scene.width);
    const [x, w] = [at.numbers + i * room + GAP / 2, room - GAP / 2];
    const share = largest > 0 ? Math.abs(value) / largest : 0;
    const tint = lutIndex(signed && value < 0 ? 0.3 : 0.7) * 3;
    ctx.fillStyle = `rgb(${table[tint]} ${table[tint + 1]} ${table[tint + 2]} / 0.55)`;
    if (isMasked && isWeight) {
      // A masked key has no weight: no bar.
    } else if (isNarrow) ctx.fillRect(x, y + ROW - 5, w * share, 3);
    else ctx.fillRect(x, y + 4, (w - NUMBER) * share, ROW - 8);
    ctx.font = `${isNarrow ? 10.5 : 11.5}px ${colors.font}`;
    ctx.textAlign = "right";
    ctx.fillStyle = colors.fg;
    const text = isWeight && isMasked ? "masked" : format(value);
    ctx.fillText(text, x + w - 6, y + ROW / 2 - (isNarrow ? 2 : 0));
  });
  ctx.globalAlpha = 1;
  if (key === scene.active) {
    ctx.strokeStyle = scene.focused ? colors.accent : colors.fg;
    ctx.lineWidth = scene.focused ? 2 : 1.2;
    ctx.strokeRect(1, y + 1, scene.width - 2, ROW - 2);
  }
}

export const HEAD = 44;

/** The names of the columns, and the vector of the query above the vectors of the keys. */
export function paintHead(ctx: CanvasRenderingContext2D, scene: Scene, colors: Palette): void {
  const { Q, query, width, table, largest } = scene;
  const at = columnsOf(width, scene.columns.length);
  ctx.clearRect(0, 0, width, HEAD);
  ctx.font = `600 12px ${colors.font}`;
  ctx.fillStyle = colors.muted;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  ctx.fillText("q", at.token, 20 + ROW / 2);
  const q = (c: number) => Q.data[query * Q.cols + c];
  paintStrip(ctx, [at.k, 20, at.strip, Q.cols], table, colors, q, largest);
  ctx.font = `600 12px ${colors.font}`;
  ctx.fillStyle = colors.muted;
  ctx.textAlign = "left";
  // The full name where it fits, else the short name.
  const name = (x: number, full: string, short: string) =>
    ctx.fillText(ctx.measureText(full).width <= at.strip ? full : short, x, 10);
  name(at.k, "k, below q of the query", "k");
  name(at.product, "q × k, number by number", "q×k");
  ctx.textAlign = "right";
  const room = (width - at.numbers) / scene.columns.length;
  scene.columns.forEach(({ name, short }, i) => {
    ctx.fillText(width < NARROW ? short : name, at.numbers + (i + 1) * room - 6, 10);
  });
}

/** Paint a vector as a strip of colours, with numbers where the cells have room for them. */
function paintStrip(
  ctx: CanvasRenderingContext2D,
  [x, y, width, count]: readonly [x: number, y: number, width: number, count: number],
  table: Lut,
  colors: Palette,
  value: (c: number) => number,
  largest: number,
): void {
  const w = width / count;
  ctx.font = `10.5px ${colors.font}`;
  ctx.textAlign = "center";
  for (let c = 0; c < count; c++) {
    const at = lutIndex(0.5 + value(c) / largest / 2) * 3;
    const [red, green, blue] = table.subarray(at, at + 3);
    ctx.fillStyle = `rgb(${red} ${green} ${blue})`;
    ctx.fillRect(x + c * w, y + 3, Math.max(w - (w > 5 ? 0.7 : 0), 0.5), ROW - 6);
    if (w < LEGIBLE) continue;
    ctx.fillStyle = isLight(red, green, blue) ? "#101014" : "#ffffff";
    ctx.fillText(two(value(c)), x + (c + 0.5) * w, y + ROW / 2);
  }
}
