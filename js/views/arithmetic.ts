/** The numbers behind one cell: pure, from the maps as the store has them. */
import type { Matrix } from "../codec";

/** q·k written out, the middle folded where there is much of it. */
export function terms(Q: Matrix, q: number, K: Matrix, k: number): string {
  const two = (m: Matrix, row: number, c: number) =>
    (m.data[row * m.cols + c] as number).toFixed(2).replace("-", "−");
  const list = Array.from({ length: Q.cols }, (_, c) => `${two(Q, q, c)}·${two(K, k, c)}`);
  if (list.length <= 6) return list.join(" + ");
  const folded = [...list.slice(0, 3), `… ${list.length - 4} more …`, list[list.length - 1]];
  return folded.join(" + ");
}

/** The largest score that the mask leaves in row q, and the sum of exp(score − largest). */
export function softmaxParts(
  scores: Matrix,
  mask: Uint8Array,
  q: number,
): { max: number; sum: number } {
  const n = scores.cols;
  let max = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < n; k++) {
    if (!mask[q * n + k]) max = Math.max(max, scores.data[q * n + k] as number);
  }
  let sum = 0;
  for (let k = 0; k < n; k++) {
    if (!mask[q * n + k]) sum += Math.exp((scores.data[q * n + k] as number) - max);
  }
  return { max, sum };
}

/**
 * How far masking key k would move the output of query q: p/(1-p)·‖o − v‖. Where p is nearly all of
 * the row that form cancels, so the output of what remains is computed instead.
 */
export function shift(attention: Matrix, V: Matrix, output: Matrix, q: number, k: number): number {
  const n = attention.cols;
  const d = V.cols;
  const p = attention.data[q * n + k] as number;
  if (p <= 0.5) {
    let square = 0;
    for (let c = 0; c < d; c++) {
      square += ((output.data[q * d + c] as number) - (V.data[k * d + c] as number)) ** 2;
    }
    return (p / (1 - p)) * Math.sqrt(square);
  }
  const without = new Float64Array(d);
  let rest = 0;
  for (let j = 0; j < n; j++) {
    if (j === k) continue;
    const w = attention.data[q * n + j] as number;
    rest += w;
    for (let c = 0; c < d; c++) without[c]! += w * (V.data[j * d + c] as number);
  }
  let square = 0;
  for (let c = 0; c < d; c++) {
    const after = rest > 0 ? (without[c] as number) / rest : 0;
    square += ((output.data[q * d + c] as number) - after) ** 2;
  }
  return Math.sqrt(square);
}
