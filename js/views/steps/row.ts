/** A row of matrices whose cells are centred on a line. */
import type { Block } from "../../draw/matrix/block";

export interface Row {
  /** The largest height of titles and labels above the cells. */
  top: number;
  /** The largest height of the cells. */
  cells: number;
}

export function rowOf(blocks: readonly Block[]): Row {
  return {
    top: Math.max(...blocks.map((block) => block.top)),
    cells: Math.max(...blocks.map((block) => block.height - block.top)),
  };
}

/** The distance from the top of a row to the top of a matrix in the row. */
export function offsetIn({ top, cells }: Row, block: Block): number {
  return top - block.top + (cells - (block.height - block.top)) / 2;
}
