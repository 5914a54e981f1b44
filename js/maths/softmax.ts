/**
 * Write the masked softmax of a row of scores / temperature into `out`. The maximum over the unmasked
 * keys is subtracted first. If every key is masked, the row is 0. Temperature 0 gives the argmax:
 * equal largest scores share the weight. The row sums to `mass`.
 */
export function softmaxRow(
  scores: ArrayLike<number>,
  mask: ArrayLike<number>,
  start: number,
  maskStart: number,
  n: number,
  out: { [index: number]: number; fill(value: number, start: number, end: number): unknown },
  temperature = 1,
  mass = 1,
  outStart = start,
): void {
  let max = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < n; j++) {
    const s = scores[start + j];
    if (!mask[maskStart + j] && s > max) max = s;
  }
  if (max === Number.NEGATIVE_INFINITY) {
    out.fill(0, outStart, outStart + n);
    return;
  }
  const part = (j: number) => {
    if (mask[maskStart + j]) return 0;
    const below = scores[start + j] - max;
    return temperature === 0 ? Number(below === 0) : Math.exp(below / temperature);
  };
  let sum = 0;
  for (let j = 0; j < n; j++) sum += part(j);
  for (let j = 0; j < n; j++) out[outStart + j] = (part(j) / sum) * mass;
}

/** Write one row of attention · V into `out`. */
export function outputRow(
  attention: ArrayLike<number>,
  start: number,
  n: number,
  V: ArrayLike<number>,
  d: number,
  out: { [index: number]: number; fill(value: number, start: number, end: number): unknown },
  outStart: number,
): void {
  out.fill(0, outStart, outStart + d);
  for (let j = 0; j < n; j++) {
    const p = attention[start + j];
    if (p === 0) continue;
    for (let c = 0; c < d; c++) {
      out[outStart + c] += p * V[j * d + c];
    }
  }
}
