/** Update rows of attention and output: recompute them from the scores, or copy them from Python. */

import { decode } from "../wire/codec";
import type { ChangeMessage } from "../wire/schema";
import { outputRow, softmaxRow } from "./softmax";

/** The arrays that an edit of the mask reads or changes. Where there are several heads, the first axis is the head. */
export interface Maps {
  n: number;
  nK: number;
  heads: number;
  /** d_v, the width of the values. */
  d: number;
  temperature: number;
  mask: Uint8Array;
  scores: Float32Array;
  attention: Float32Array;
  /** V and output are null if the widget was given attention weights only. */
  V: Float32Array | null;
  output: Float32Array | null;
  /** The sum of each row of attention; null if every row sums to 1. */
  rowMass: Float32Array | null;
}

export function recomputeRows(maps: Maps, rows: Iterable<number>): void {
  const { n, nK, heads, d, mask, scores, V, attention, output, temperature, rowMass } = maps;
  for (const row of rows) {
    for (let h = 0; h < heads; h++) {
      const at = (h * n + row) * nK;
      const mass = rowMass ? rowMass[row] : 1;
      softmaxRow(scores, mask, at, row * nK, nK, attention, temperature, mass);
      if (!V || !output) continue;
      const values = V.subarray(h * nK * d, (h + 1) * nK * d);
      outputRow(attention, at, nK, values, d, output, (h * n + row) * d);
    }
  }
}

/** Copy Python's rows into the maps. The rows copied: none where the message is of another shape. */
export function copyRows(maps: Maps, change: ChangeMessage): readonly number[] {
  const { n, nK, heads, d } = maps;
  const rows = [...decode(change.rows)];
  if (change.mask.shape[1] !== nK || rows.some((row) => row >= n)) return [];
  const parts = [
    [maps.mask, change.mask, 1, nK],
    [maps.attention, change.attention, heads, nK],
    [maps.output, change.output, heads, d],
  ] as const;
  for (const [target, packed, count, width] of parts) {
    if (!target || !packed) continue;
    const source = decode(packed);
    for (let h = 0; h < count; h++) {
      rows.forEach((row, r) => {
        const from = (h * rows.length + r) * width;
        target.set(source.subarray(from, from + width), (h * n + row) * width);
      });
    }
  }
  return rows;
}
