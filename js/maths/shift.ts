/** How far a query's output would move if a cell were masked. */
import type { Matrix } from "../wire/codec";
import { outputRow, softmaxRow } from "./softmax";

/** The inputs of the computation; each matrix belongs to the same head. */
export interface ShiftInputs {
  scores: Matrix;
  attention: Matrix;
  V: Matrix;
  output: Matrix;
  mask: Uint8Array;
  temperature: number;
}

/**
 * Write the shifts of row q into `out`: p/(1-p)·‖o − v‖ for each key. For p > 0.5 the formula loses
 * digits, and fails if the other weights are rounded to 0, so the row is computed again without the key.
 */
export function shiftRow(inputs: ShiftInputs, q: number, out: Float32Array, start: number): void {
  const { attention, V, output } = inputs;
  const [n, d] = [attention.cols, V.cols];
  for (let k = 0; k < n; k++) {
    const p = attention.data[q * n + k];
    if (p > 0.5) {
      out[start + k] = shiftWithout(inputs, q, k);
      continue;
    }
    let square = 0;
    for (let c = 0; p > 0 && c < d; c++) {
      square += (output.data[q * d + c] - V.data[k * d + c]) ** 2;
    }
    out[start + k] = (p / (1 - p)) * Math.sqrt(square);
  }
}

/** Compute the output of query q without key k; return the distance from the present output. */
function shiftWithout({ scores, V, output, mask, temperature }: ShiftInputs, q: number, k: number) {
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
