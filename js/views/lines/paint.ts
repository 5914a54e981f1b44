/** Paints the rows in sight: queries on the left, keys on the right, and a line for each weight. */
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
  /** The queries whose lines are shown; null for all. */
  looking: ReadonlySet<number> | null;
  /** Only the lines to this key are shown; null for all keys. */
  key: number | null;
  selected: ReadonlySet<number>;
  active: number | null;
  scroll: number;
  width: number;
  height: number;
  dark: boolean;
}

export const ROW = 22;
/** Smaller weights have no line. */
const FAINT = 0.02;

export function columns(width: number): [left: number, right: number] {
  const side = Math.min(220, width * 0.34);
  return [side, width - side];
}

export function paintLines(ctx: CanvasRenderingContext2D, scene: Scene, colors: Palette): void {
  const { width, height, data, scroll } = scene;
  ctx.clearRect(0, 0, width, height);
  const first = Math.max(0, Math.floor(scroll / ROW) - 1);
  const last = Math.min(Math.max(data.nQ, data.nK) - 1, Math.ceil((scroll + height) / ROW));
  const y = (i: number) => (i + 0.5) * ROW - scroll;
  const [left, right] = columns(width);
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
  for (const head of heads) {
    const [r, g, b] = headColor(head, scene.dark);
    // Lines of nearly the same strength share a path, because many short paths are slower than a long path.
    const paths = Array.from({ length: 11 }, () => [] as [number, number][]);
    for (const q of queries) {
      if (q >= data.nQ) continue;
      data.each(head, q, (k, w) => {
        if (w < FAINT || (key !== null && k !== key)) return;
        paths[Math.min(10, Math.ceil(w * 10))]?.push([y(q), y(k)]);
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
  const font = (side: "query" | "key", i: number, bold: boolean) =>
    `${special(side, i) ? "italic " : ""}${bold ? 650 : 400} 13px ${colors.font}`;
  const measure = (text: string) => ctx.measureText(text).width;
  ctx.textBaseline = "middle";
  const sums = looking ? received(data, heads, looking).sums : null;
  const strongest = sums ? largest(sums, 1e-9) : 1;
  for (let i = first; i <= last; i++) {
    if (i < data.nQ) {
      const bold = looking?.has(i) || scene.selected.has(i);
      ctx.font = font("query", i, Boolean(bold));
      ctx.textAlign = "right";
      const faint = (looking && !looking.has(i)) || special("query", i);
      ctx.fillStyle = faint ? colors.muted : colors.fg;
      ctx.fillText(shorten(visible(queries[i]), left - 12, measure), left - 2, y(i));
      if (scene.selected.has(i)) ctx.fillRect(left + 1, y(i) - 8, 2.5, 16);
    }
    if (i < data.nK) {
      if (sums) drawShares(ctx, scene, i, y(i), right);
      ctx.font = font("key", i, scene.key === i);
      ctx.textAlign = "left";
      ctx.fillStyle = special("key", i) ? colors.muted : colors.fg;
      const value = sums ? sums[i] : null;
      const room = scene.width - right - (value === null ? 6 : 54);
      ctx.fillText(shorten(visible(keys[i]), room, measure), right + 4, y(i));
      if (value !== null && value >= strongest * 0.02) {
        ctx.textAlign = "right";
        ctx.font = `11.5px ${colors.font}`;
        ctx.fillStyle = colors.muted;
        ctx.fillText(value.toFixed(value < 0.1 ? 3 : 2), scene.width - 4, y(i));
      }
    }
  }
  if (scene.active !== null) {
    ctx.strokeStyle = colors.accent;
    ctx.lineWidth = 2;
    ctx.strokeRect(2, y(scene.active) - ROW / 2 + 1, left + 2, ROW - 2);
  }
}

/** Behind a key, a block for each head, which is more opaque where the key gets more weight from the head. */
function drawShares(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  key: number,
  y: number,
  right: number,
) {
  const { data, heads, looking } = scene;
  if (!looking) return;
  const width = (scene.width - right - 52) / heads.length;
  heads.forEach((head, i) => {
    let sum = 0;
    for (const q of looking) {
      data.each(head, q, (k, w) => {
        if (k === key) sum += w;
      });
    }
    if (sum < FAINT) return;
    const [r, g, b] = headColor(head, scene.dark);
    ctx.fillStyle = `rgb(${r} ${g} ${b} / ${Math.min(0.75, sum / looking.size)})`;
    ctx.fillRect(right + 2 + i * width, y - ROW / 2 + 1, width, ROW - 2);
  });
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
