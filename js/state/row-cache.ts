/** A map of the page's own making: a row is computed when it is read, and kept until it changes. */
import type { Matrix } from "../wire/codec";

export type FillRow = (row: number, out: Float32Array, start: number) => void;

export function createRowCache() {
  let map: Matrix = { data: new Float32Array(0), rows: 0, cols: 0 };
  let fresh = new Set<number>();
  let of = -1;
  return {
    /** These rows are others now; null for all. */
    forget(rows: ReadonlySet<number> | null) {
      if (rows === null) fresh = new Set();
      else for (const row of rows) fresh.delete(row);
    },
    /** The map of a head, with this row computed; with all of them where none is named. */
    read(rows: number, cols: number, head: number, fill: FillRow, row?: number): Matrix {
      if (head !== of || map.rows !== rows || map.cols !== cols) {
        map = { data: new Float32Array(rows * cols), rows, cols };
        fresh = new Set();
        of = head;
      }
      for (let r = row ?? 0; r < (row === undefined ? rows : row + 1); r++) {
        if (fresh.has(r)) continue;
        fill(r, map.data, r * cols);
        fresh.add(r);
      }
      return map;
    },
  };
}
