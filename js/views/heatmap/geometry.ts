/** The places of cells, labels and colour bar in the heatmap, in CSS pixels. */
import { isSingle, type Measure, shorten, visible } from "../../explain/tokens";

export interface Geometry {
  width: number;
  height: number;
  /** The top left corner of the first cell. */
  left: number;
  top: number;
  cell: number;
  nQ: number;
  nK: number;
  font: number;
  /** How far the key labels are turned that do not fit: by 45°, or by 90° where labels at 45° would leave out more. */
  turn: 0 | 45 | 90;
  /** For each key, whether its label stays upright over the cell, is turned, or is a single upright character in its place. */
  keyLabels: readonly ("upright" | "turned" | "single")[];
  /** Every `step`-th label is drawn. */
  step: number;
  queries: string[];
  keys: string[];
  bar: { x: number; y: number; width: number; height: number };
}

const LARGEST_CELL = 76;
/** A cell of this size is not made smaller so that the map fits the height of the screen. */
const COMFORTABLE_CELL = 56;
/** What stands above and below the map on a screen: the browser, the notebook, and the header of the card. */
const AROUND = 400;
const LARGEST_MAP = 640;
const TITLE = 22;
const GAP = 8;
const BAR = { gap: 22, width: 14, ticks: 52 };
const LARGEST_LABEL = { row: 120, column: 104 };

export function layout(
  width: number,
  queries: readonly string[],
  keys: readonly string[],
  measure: (font: number) => Measure,
  dpr: number,
  screenHeight: number,
): Geometry {
  const [nQ, nK] = [queries.length, keys.length];
  const tallest = Math.max(COMFORTABLE_CELL, (screenHeight - AROUND) / nQ);
  const right = BAR.gap + BAR.width + BAR.ticks;
  const widest = (list: readonly string[], font: number, limit: number) => {
    const labelWidth = measure(font);
    let largest = 0;
    for (const token of list) {
      largest = Math.max(largest, Math.min(labelWidth(visible(token.slice(0, 200))), limit));
      // No label is drawn wider than the limit: the other labels do not matter.
      if (largest >= limit) break;
    }
    return Math.ceil(largest);
  };
  const size = (font: number) => {
    const limit = Math.min(LARGEST_LABEL.row, Math.max(40, width * 0.22));
    const left = TITLE + widest(queries, font, limit) + GAP;
    const room = Math.max(40, Math.min(width - left - right, LARGEST_MAP));
    const fit = room / Math.max(nK, nQ * 0.6);
    return { left, cell: snap(Math.min(LARGEST_CELL, tallest, fit), dpr, nK, room) };
  };
  let font = 13;
  let { left, cell } = size(font);
  if (cell < 17) {
    font = 11;
    ({ left, cell } = size(font));
  }
  const labelWidth = measure(font);
  const texts = keys.map(visible);
  const isWide = (label: string) => labelWidth(label.slice(0, 200)) > cell - 6;
  const step = Math.max(1, Math.ceil((font + 2) / cell));
  const isSparse = Math.ceil(((font + 1) * Math.SQRT2) / cell) > step;
  const turn = !texts.some((label) => isWide(label) && !isSingle(label)) ? 0 : isSparse ? 90 : 45;
  const longest = widest(keys, font, LARGEST_LABEL.column);
  const labelHeight =
    turn === 0 ? font + 4 : turn === 90 ? longest : Math.ceil((longest + font) * Math.SQRT1_2);
  const top = TITLE + labelHeight + GAP;
  // An upright label must not touch the label before it, which runs over it at 45°.
  const isClear = (label: string) => turn !== 45 || cell - labelWidth(label) / 2 > 1.7 * font;
  const height = nQ * cell;
  return {
    width: left + nK * cell + right,
    height: top + Math.max(height, 60) + 4,
    left,
    top,
    cell,
    nQ,
    nK,
    font,
    turn,
    keyLabels: texts.map((label) => {
      if (turn === 0 || (!isWide(label) && isClear(label))) return "upright";
      return isSingle(label) ? "single" : "turned";
    }),
    step,
    queries: queries.map((token) => shorten(visible(token), left - TITLE - GAP, labelWidth)),
    keys: texts.map((label) => shorten(label, LARGEST_LABEL.column, labelWidth)),
    bar: {
      x: left + nK * cell + BAR.gap,
      y: top,
      width: BAR.width,
      height: Math.max(60, Math.min(height, 420)),
    },
  };
}

/** Round a cell size down to whole pixels, or to whole device pixels for small cells where that keeps the map large. */
function snap(cell: number, dpr: number, n: number, room: number): number {
  if (cell >= 4) return Math.floor(cell);
  const device = Math.floor(cell * dpr) / dpr;
  return device > 0 && device * n > room * 0.6 ? device : cell;
}

export type Hit =
  | { kind: "cell"; query: number; key: number }
  | { kind: "row"; query: number }
  | { kind: "column"; key: number }
  | null;

export function hit(g: Geometry, x: number, y: number): Hit {
  const key = Math.floor((x - g.left) / g.cell);
  const query = Math.floor((y - g.top) / g.cell);
  const inK = key >= 0 && key < g.nK;
  const inQ = query >= 0 && query < g.nQ;
  if (inK && inQ) return { kind: "cell", query, key };
  if (inQ && x < g.left && x > TITLE - 4) return { kind: "row", query };
  if (y >= g.top || y <= TITLE - 4) return null;
  // Above the upright labels, a label at 45° lies to the right of its column.
  const up = g.top - 6 - y;
  const column = g.turn === 45 && up > g.font ? Math.floor((x - up - g.left) / g.cell) : key;
  return column >= 0 && column < g.nK ? { kind: "column", key: column } : null;
}

/** The cell nearest to a point: a drag outside the map paints the cells at the edge. */
export function nearest(g: Geometry, x: number, y: number): [query: number, key: number] {
  const clamp = (v: number, n: number) => Math.min(n - 1, Math.max(0, v));
  return [
    clamp(Math.floor((y - g.top) / g.cell), g.nQ),
    clamp(Math.floor((x - g.left) / g.cell), g.nK),
  ];
}

/** Every cell on the straight line between two cells (Bresenham 1965), both ends included. */
export function line(
  [q0, k0]: readonly [number, number],
  [q1, k1]: readonly [number, number],
): [number, number][] {
  const cells: [number, number][] = [];
  const dk = Math.abs(k1 - k0);
  const dq = -Math.abs(q1 - q0);
  let error = dk + dq;
  let [q, k] = [q0, k0];
  for (;;) {
    cells.push([q, k]);
    if (q === q1 && k === k1) return cells;
    const twice = 2 * error;
    if (twice >= dq) {
      error += dq;
      k += k0 < k1 ? 1 : -1;
    }
    if (twice <= dk) {
      error += dk;
      q += q0 < q1 ? 1 : -1;
    }
  }
}
