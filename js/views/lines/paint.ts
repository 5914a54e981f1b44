/** Paints the rows in sight: queries on the left, keys on the right, and a line for each weight. */
import { fillLabel } from "../../draw/label";
import type { Palette } from "../../draw/palette";
import { shorten, visible } from "../../explain/tokens";
import { largest } from "../../maths/extent";
import { headColor, type LineData, received } from "./data";

export interface Scene {
  data: LineData;
  heads: readonly number[];
  queries: readonly string[];
  keys: readonly string[];
  special: (side: "query" | "key", i: number) => boolean;
  generated: (side: "query" | "key", i: number) => boolean;
  /** The queries whose lines are shown; null for all. */
  looking: ReadonlySet<number> | null;
  /** Only the lines to this key are shown; null for all keys. */
  key: number | null;
  selected: ReadonlySet<number>;
  active: number | null;
  scroll: number;
  columns: Columns;
  height: number;
  dark: boolean;
}

/** The lines run from `left` to `right`; queries stand on the left of them, keys on the right up to `width`. */
export interface Columns {
  left: number;
  right: number;
  width: number;
}

export const ROW = 22;
/** Smaller weights have no line. */
const FAINT = 0.02;
/** The room of a number beside a key. */
const NUMBER = 50;

/** The columns of the list in `room` pixels: as wide as the tokens need, and lines about as long as the list is high. */
export function columnsOf(
  ctx: CanvasRenderingContext2D,
  { queries, keys }: Pick<Scene, "queries" | "keys">,
  room: number,
  font: string,
): Columns {
  ctx.font = `650 13px ${font}`;
  const widest = (tokens: readonly string[]) =>
    largest(tokens.map((token) => ctx.measureText(visible(token.slice(0, 80))).width));
  const side = (width: number) => Math.ceil(Math.min(220, room * 0.34, Math.max(64, width)));
  const left = side(widest(queries) + 16);
  const keysRoom = side(widest(keys) + 10 + NUMBER);
  const rows = Math.max(queries.length, keys.length);
  const lines = Math.min(room - left - keysRoom, Math.max(180, Math.min(420, rows * ROW)));
  return { left, right: left + lines, width: left + lines + keysRoom };
}

export function paintLines(ctx: CanvasRenderingContext2D, scene: Scene, colors: Palette): void {
  const { height, data, scroll } = scene;
  const { width, left, right } = scene.columns;
  ctx.clearRect(0, 0, width, height);
  const first = Math.max(0, Math.floor(scroll / ROW) - 1);
  const last = Math.min(Math.max(data.nQ, data.nK) - 1, Math.ceil((scroll + height) / ROW));
  const y = (i: number) => (i + 0.5) * ROW - scroll;
  drawLines(ctx, scene, first, last, y, left, right);
  drawTokens(ctx, scene, colors, first, last, y, left, right);
}

function drawLines(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  first: number,
  last: number,
  y: (i: number) => number,
  left: number,
  right: number,
): void {
  const { data, heads, looking, key } = scene;
  const queries = looking ?? range(key === null ? first : 0, key === null ? last : data.nQ - 1);
  ctx.lineWidth = looking || key !== null ? 2 : 1.4;
  // The lines of the heads run beside each other, because a line over another would hide its colour.
  const apart = Math.min(ctx.lineWidth + 0.4, (ROW - 8) / heads.length);
  for (const [i, head] of heads.entries()) {
    const [r, g, b] = headColor(head, scene.dark);
    const beside = (i - (heads.length - 1) / 2) * apart;
    // Lines of nearly the same strength share a path, because many short paths are slower than a long path.
    const paths = Array.from({ length: 11 }, () => [] as [number, number][]);
    for (const q of queries) {
      if (q >= data.nQ) continue;
      data.each(head, q, (k, w) => {
        if (w < FAINT || (key !== null && k !== key)) return;
        paths[Math.min(10, Math.ceil(w * 10))]?.push([y(q) + beside, y(k) + beside]);
      });
    }
    paths.forEach((list, level) => {
      if (!list.length) return;
      ctx.strokeStyle = `rgb(${r} ${g} ${b} / ${level / 10})`;
      ctx.beginPath();
      for (const [from, to] of list) {
        ctx.moveTo(left + 6, from);
        ctx.lineTo(right - 6, to);
      }
      ctx.stroke();
    });
  }
}

function drawTokens(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  colors: Palette,
  first: number,
  last: number,
  y: (i: number) => number,
  left: number,
  right: number,
): void {
  const { data, heads, looking, queries, keys, special } = scene;
  const color = (side: "query" | "key", i: number) =>
    scene.generated(side, i) ? colors.accent : colors.fg;
  const font = (side: "query" | "key", i: number, bold: boolean) =>
    `${special(side, i) ? "italic " : ""}${bold ? 650 : 400} 13px ${colors.font}`;
  const measure = (text: string) => ctx.measureText(text).width;
  ctx.textBaseline = "middle";
  const means = looking ? received(data, heads, looking).means : null;
  const ofHeads = looking ? heads.map((head) => received(data, [head], looking).means) : [];
  const strongest = means ? largest(means, 1e-9) : 1;
  for (let i = first; i <= last; i++) {
    if (i < data.nQ) {
      const bold = looking?.has(i) || scene.selected.has(i);
      ctx.font = font("query", i, Boolean(bold));
      ctx.textAlign = "right";
      const faint = (looking && !looking.has(i)) || special("query", i);
      ctx.fillStyle = faint ? colors.muted : color("query", i);
      fillLabel(ctx, shorten(visible(queries[i]), left - 12, measure), left - 2, y(i));
      if (scene.selected.has(i)) ctx.fillRect(left + 1, y(i) - 8, 2.5, 16);
    }
    if (i < data.nK) {
      if (means) drawShares(ctx, scene, ofHeads, i, y(i));
      ctx.font = font("key", i, scene.key === i);
      ctx.textAlign = "left";
      ctx.fillStyle = special("key", i) ? colors.muted : color("key", i);
      const value = means ? means[i] : null;
      const room = scene.columns.width - right - NUMBER - 4;
      fillLabel(ctx, shorten(visible(keys[i]), room, measure), right + 4, y(i));
      if (value !== null && value >= strongest * 0.02) {
        ctx.textAlign = "right";
        ctx.font = `11.5px ${colors.font}`;
        ctx.fillStyle = colors.muted;
        ctx.fillText(value.toFixed(3), scene.columns.width - 4, y(i));
      }
    }
  }
  if (scene.active !== null) {
    ctx.strokeStyle = colors.accent;
    ctx.lineWidth = 2;
    ctx.strokeRect(2, y(scene.active) - ROW / 2 + 1, left + 2, ROW - 2);
  }
}

/** Under a key, a bar as long as the mean weight that the key gets, in parts in the colours of the heads. */
function drawShares(
  ctx: CanvasRenderingContext2D,
  { heads, columns, dark }: Scene,
  ofHeads: readonly Float64Array[],
  key: number,
  y: number,
) {
  const full = columns.width - columns.right - 8;
  let x = columns.right + 4;
  heads.forEach((head, i) => {
    const length = (full * ofHeads[i][key]) / heads.length;
    const [r, g, b] = headColor(head, dark);
    ctx.fillStyle = `rgb(${r} ${g} ${b})`;
    ctx.fillRect(x, y + 8, length, 2.5);
    x += length;
  });
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
