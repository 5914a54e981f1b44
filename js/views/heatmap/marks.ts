/** What is marked on the map: a cell, a label or a range. */
import type { Cell } from "../../ui/focus";

export interface Marks {
  cell: Cell | null;
  /** The row or column whose label is under the pointer. */
  row: number | null;
  column: number | null;
  /** Opposite corners of the range that is marked with Shift and the arrows. */
  range: readonly [Cell, Cell] | null;
  keyboard: boolean;
  /** Whether the pointer is over the map. */
  pointed: boolean;
}

export function noMarks(): Marks {
  return { cell: null, row: null, column: null, range: null, keyboard: false, pointed: false };
}
