/** The places of the cells, the labels and the title of a matrix, in CSS pixels. */
import type { MatrixName } from "../../explain/explain";
import { everySlot, MOST, type Slots } from "./slots";

export interface Labels {
  /** The widths of the widest query and of the widest key, in pixels. */
  queries: number;
  keys: number;
}

/** The rectangle of a matrix with its title and labels; the cells begin at `left` and `top` inside the rectangle. */
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
  /** The rows and the columns that are drawn. */
  rowSlots: Slots;
  colSlots: Slots;
  /** The width and the height of a cell. */
  cw: number;
  ch: number;
  rowLabels: "queries" | "keys" | null;
  colLabels: "keys" | null;
  /** Whether column labels are turned by 90°, because they are wider than a cell. */
  upright: boolean;
  /** The distance between column labels and cells; 4 where it is not given. */
  labelGap?: number;
}

/** A matrix without place and size. */
export type Plan = Omit<
  Block,
  "x" | "y" | "width" | "height" | "left" | "top" | "cw" | "ch" | "upright" | "labelGap"
>;

/** The height of the cells of a matrix with many rows, which all are drawn. */
const TALLEST = 320;
/** The height of the title and the note above the labels. */
export const TITLE = 34;
export const LARGEST = { width: 38, height: 20 };
const LARGEST_LABEL = 72;
const LABEL_GAP = 6;

export const labelWidth = (plan: Plan, labels: Labels) =>
  plan.rowLabels ? Math.min(LARGEST_LABEL, Math.ceil(labels[plan.rowLabels])) + LABEL_GAP : 0;

/** The height of a row with cells of this width: legible, and low enough for many rows. */
function rowHeight(cw: number, rows: number): number {
  if (rows > MOST) return Math.min(17, cw, TALLEST / rows);
  if (cw >= 16)
    return rows > 8 ? 17 : Math.min(LARGEST.height, Math.max(17, Math.round(cw * 0.76)));
  return Math.max(Math.min(cw, 12), Math.min(11, 240 / rows));
}

/** The rectangle of a matrix at x = y = 0; `least` is the width of the narrowest cells in the picture. */
export function createBlock(plan: Plan, cw: number, labels: Labels, least = cw): Block {
  const left = labelWidth(plan, labels);
  const upright = plan.colLabels !== null && labels.keys > cw - 4;
  const fullHeight = upright ? Math.min(LARGEST_LABEL, labels.keys) + LABEL_GAP : 16;
  // Labels that would overlap are left out: words beside the matrix name the tokens of the marked cell.
  const labelHeight = plan.colLabels ? (cw < 12 ? 0 : fullHeight) : 0;
  // Rows of tokens have the same height in every matrix: the height that suits the narrowest cells.
  const ch = rowHeight(plan.rowLabels ? Math.min(cw, least) : cw, plan.rowSlots.indices.length);
  // A row label may reach a few pixels above the row.
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
    width: left + cw * plan.colSlots.indices.length,
    height: top + ch * plan.rowSlots.indices.length,
  };
}

/** A single map of attention with cells that fit into `room` pixels. */
export function mapBlock(rows: number, cols: number, room: number): Block {
  const name = "attention";
  const plan = { name, rows, cols, rowLabels: "queries", colLabels: "keys" } as const;
  const slots = { rowSlots: everySlot(rows), colSlots: everySlot(cols) };
  const labels = { queries: 44, keys: 30 };
  return createBlock(
    { ...plan, ...slots },
    wholePixels(Math.min(LARGEST.width, room / cols)),
    labels,
  );
}

/** A cell width in whole pixels, unless the cells are smaller than 4 pixels. */
export const wholePixels = (cw: number) => (cw >= 4 ? Math.floor(cw) : cw);
