/** Where the cells, the labels and the title of a matrix lie, in CSS pixels: pure, so that it can be tested. */
import type { MatrixName } from "../../explain/explain";

export interface Labels {
  /** Width of the widest query, of the widest key, in pixels. */
  queries: number;
  keys: number;
}

/** A matrix with its title and labels; `left` and `top` are where its cells begin inside it. */
export interface Block {
  name: MatrixName;
  x: number;
  y: number;
  width: number;
  height: number;
  left: number;
  top: number;
  rows: number;
  cols: number;
  cw: number;
  ch: number;
  rowLabels: "queries" | "keys" | null;
  colLabels: "keys" | null;
  /** Column labels stand upright where they are wider than a cell. */
  upright: boolean;
  /** Between them and the cells, if not 4. */
  labelGap?: number;
}

/** A matrix before it has a place and a size. */
export type Plan = Omit<
  Block,
  "x" | "y" | "width" | "height" | "left" | "top" | "cw" | "ch" | "upright" | "labelGap"
>;

/** The height of the title and its note, above the labels. */
export const TITLE = 34;
export const LARGEST = { width: 38, height: 26 };
const LONGEST = 72;
const LABEL_GAP = 6;

export const labelWidth = (plan: Plan, labels: Labels) =>
  plan.rowLabels ? Math.min(LONGEST, Math.ceil(labels[plan.rowLabels])) + LABEL_GAP : 0;

/** How tall a row is beside cells of this width: legible, and not a wall where there are many. */
function rowHeight(cw: number, rows: number): number {
  if (cw >= 16) return Math.min(LARGEST.height, Math.max(17, Math.round(cw * 0.76)));
  return Math.max(Math.min(cw, 12), Math.min(11, 240 / rows));
}

export function sized(plan: Plan, cw: number, labels: Labels, least = cw): Block {
  const left = labelWidth(plan, labels);
  const upright = plan.colLabels !== null && labels.keys > cw - 4;
  const wanted = upright ? Math.min(LONGEST, labels.keys) + LABEL_GAP : 16;
  // Labels that would overlap are left out: there is the hovered cell's own.
  const labelHeight = plan.colLabels ? (cw < 12 ? 0 : wanted) : 0;
  // Rows of tokens are as high in every matrix as in the one with the smallest cells.
  const ch = rowHeight(plan.rowLabels ? Math.min(cw, least) : cw, plan.rows);
  // A label may reach a little above its row.
  const top = TITLE + (labelHeight || 4);
  return {
    ...plan,
    upright,
    cw,
    ch,
    left,
    top,
    x: 0,
    y: 0,
    width: left + cw * plan.cols,
    height: top + ch * plan.rows,
  };
}

/** A map of attention by itself, in so much room. */
export function mapBlock(rows: number, cols: number, room: number): Block {
  const name = "attention";
  const plan = { name, rows, cols, rowLabels: "queries", colLabels: "keys" } as const;
  const labels = { queries: 44, keys: 30 };
  return sized(plan, whole(Math.min(LARGEST.width, room / cols)), labels);
}

export const whole = (cw: number) => (cw >= 4 ? Math.floor(cw) : cw);
