/** Sets of mask cells as runs over flat indices: small on the wire, exact for any shape. */
import type { Runs } from "./schema";

/** Flat indices in any order -> start, length, ... */
export const sortedRuns = (list: number[]): Runs => toRuns(list.sort((a, b) => a - b));

/** Sorted flat indices -> start, length, ... */
export function toRuns(sorted: readonly number[]): Runs {
  const runs: Runs = [];
  for (const i of sorted) {
    const last = runs.length - 2;
    if (last >= 0 && runs[last] + runs[last + 1] === i) {
      runs[last + 1] += 1;
    } else {
      runs.push(i, 1);
    }
  }
  return runs;
}

export function* cells(runs: Runs): Generator<number> {
  for (let r = 0; r + 1 < runs.length; r += 2) {
    const start = runs[r];
    const end = start + runs[r + 1];
    for (let i = start; i < end; i++) yield i;
  }
}
