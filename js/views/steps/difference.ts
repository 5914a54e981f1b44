/** The difference of a matrix to the state before the last edit: its look, and the cells that differ. */
import { cssColor, type Lut } from "../../draw/color";
import type { Look } from "../../draw/matrix/paint";
import type { MatrixName } from "../../explain/explain";
import { number } from "../../explain/numbers";
import { largestSize } from "../../maths/extent";
import { fillDifferences } from "../../state/before";
import { shareOf } from "../../state/scale";
import type { Store } from "../../state/store";

/** Null where the matrix is not on the page; zeros where there is nothing to compare with. */
export function differenceOf(store: Store, name: MatrixName): Float32Array | null {
  const [old, now] = [store.before.matrix(name), store.matrix(name)];
  if (!now) return null;
  const difference = new Float32Array(now.data.length);
  return old ? fillDifferences(old, now, difference) : difference;
}

export function differenceLook(store: Store, name: MatrixName, table: Lut): Look {
  const data = differenceOf(store, name) ?? new Float32Array();
  const cols = store.matrix(name)?.cols ?? 1;
  const size = largestSize(data);
  const value = (r: number, c: number) => data[r * cols + c];
  return {
    value,
    share: (r, c) => shareOf(value(r, c), size, "map", true),
    table,
    largest: size,
    signed: true,
    isDifference: true,
    marked: () => false,
    queries: store.tokens,
    keys: store.keyTokens,
  };
}

/** The colours of a difference with the numbers at both ends; null where nothing differs. */
export function differenceBar({ largest, table }: Look): { size: string; ramp: string } | null {
  if (largest === 0) return null;
  const stops = Array.from({ length: 9 }, (_, at) => cssColor(table, at / 8));
  return { size: `±${number(largest)}`, ramp: stops.join() };
}

/** Whether each cell differs from the state before the last edit. */
export function changes(store: Store, name: MatrixName): (row: number, col: number) => boolean {
  const [data, cols] = [differenceOf(store, name), store.matrix(name)?.cols ?? 0];
  return (row, col) => data !== null && data[row * cols + col] !== 0;
}
