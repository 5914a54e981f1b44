/** How far masking a cell would move its query's output. */
import type { Matrix } from "../wire/codec";
import { outputRow, softmaxRow } from "./softmax";

/** What the shift of a row is computed from; the matrices are one head's. */
export interface ShiftInputs {
  scores: Matrix;
  attention: Matrix;
  V: Matrix;
  output: Matrix;
  mask: Uint8Array;
  temperature: number;
}

/**
 * Row q: p/(1-p)·‖o − v‖ for each key. Where p is more than half, that form cancels (and says nothing
 * where the rest underflowed), so the row is computed again without the key.
 */
export function shiftRow(from: ShiftInputs, q: number, out: Float32Array, start: number): void {
  const { attention, V, output } = from;
  const [n, d] = [attention.cols, V.cols];
  for (let k = 0; k < n; k++) {
    const p = attention.data[q * n + k];
    if (p > 0.5) {
      out[start + k] = without(from, q, k);
      continue;
    }
    let square = 0;
    for (let c = 0; p > 0 && c < d; c++) {
      square += (output.data[q * d + c] - V.data[k * d + c]) ** 2;
    }
    out[start + k] = (p / (1 - p)) * Math.sqrt(square);
  }
}

function without({ scores, V, output, mask, temperature }: ShiftInputs, q: number, k: number) {
  const [n, d] = [scores.cols, V.cols];
  const hidden = mask.slice(q * n, (q + 1) * n);
  hidden[k] = 1;
  const p = new Float64Array(n);
  softmaxRow(scores.data, hidden, q * n, 0, n, p, temperature, 1, 0);
  const after = new Float64Array(d);
  outputRow(p, 0, n, V.data, d, after, 0);
  let square = 0;
  for (let c = 0; c < d; c++) square += (output.data[q * d + c] - after[c]) ** 2;
  return Math.sqrt(square);
}
