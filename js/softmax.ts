/** The row that a click changes, computed as Python computes it. */

/** Masked softmax of one row: the maximum over unmasked keys subtracted, an empty row all zero. */
export function softmaxRow(
  scores: ArrayLike<number>,
  mask: ArrayLike<number>,
  start: number,
  maskStart: number,
  n: number,
  out: Float32Array,
): void {
  let max = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < n; j++) {
    const s = scores[start + j] as number;
    if (!mask[maskStart + j] && s > max) max = s;
  }
  if (max === Number.NEGATIVE_INFINITY) {
    out.fill(0, start, start + n);
    return;
  }
  let sum = 0;
  for (let j = 0; j < n; j++) {
    if (!mask[maskStart + j]) sum += Math.exp((scores[start + j] as number) - max);
  }
  for (let j = 0; j < n; j++) {
    out[start + j] = mask[maskStart + j] ? 0 : Math.exp((scores[start + j] as number) - max) / sum;
  }
}

/** One row of attention · V. */
export function outputRow(
  attention: Float32Array,
  start: number,
  n: number,
  V: Float32Array,
  d: number,
  out: Float32Array,
  outStart: number,
): void {
  out.fill(0, outStart, outStart + d);
  for (let j = 0; j < n; j++) {
    const p = attention[start + j] as number;
    if (p === 0) continue;
    for (let c = 0; c < d; c++) {
      out[outStart + c] = (out[outStart + c] as number) + p * (V[j * d + c] as number);
    }
  }
}
