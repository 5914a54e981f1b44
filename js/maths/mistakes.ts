/** The weights of the known mistakes in their usual spelling, computed as in Python's `recipes`. */

/** The inputs of one head. */
export interface Inputs {
  n: number;
  nK: number;
  dK: number;
  scale: number;
  temperature: number;
  softcap: number | null;
  Q: ArrayLike<number>;
  K: ArrayLike<number>;
  bias: ArrayLike<number> | null;
  mask: ArrayLike<number>;
}

export interface MistakenMaps {
  scores: Float64Array;
  weights: Float64Array;
}

/** Why the mistaken code fails on these shapes, in NumPy's words; "" where it does not. */
export function failure(name: string, { n, nK, dK }: Pick<Inputs, "n" | "nK" | "dK">): string {
  if (name === "keepdims" && n !== nK && n !== 1) {
    if (nK === 1) return `weights: got shape (${n}, ${n}), want (${n}, 1)`;
    return `operands could not be broadcast together with shapes (${n},${nK}) (${n},) `;
  }
  if (name === "not-transposed" && nK !== dK) {
    return (
      "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature " +
      `(n?,k),(k,m?)->(n?,m?) (size ${nK} is different from ${dK})`
    );
  }
  return "";
}

function scoresOf(name: string, inputs: Inputs): Float64Array {
  const { n, nK, dK, scale, softcap, Q, K, bias } = inputs;
  const scores = new Float64Array(n * nK);
  const isStraight = name === "not-transposed";
  const factor = name === "no-scale" ? 1 : name === "in-place" ? scale * scale : scale;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < nK; j++) {
      let dot = 0;
      // Q @ K, where K has as many rows as columns of Q, in the place of Q @ K.T.
      for (let c = 0; c < dK; c++) dot += Q[i * dK + c] * K[isStraight ? c * dK + j : j * dK + c];
      const score = dot * factor;
      const capped = softcap ? softcap * Math.tanh(score / softcap) : score;
      scores[i * nK + j] = capped + (bias ? bias[i * nK + j] : 0);
    }
  }
  return scores;
}

/** The cells whose maximum is subtracted from cell (i, j), or whose sum divides it. */
type Group = (i: number, j: number) => readonly number[];

export function mistakenMaps(name: string, inputs: Inputs): MistakenMaps {
  const { n, nK, mask, temperature } = inputs;
  const scores = scoresOf(name, inputs);
  const isMasked = [...Array(n * nK).keys()].some((at) => mask[at]);
  const hide = (score: number, at: number) => {
    if (!isMasked || name === "mask-after-softmax") return score;
    if (name === "mask-sign") return score + 1e9 * mask[at];
    if (name === "mask-multiplied") return score * (1 - mask[at]);
    return mask[at] ? Number.NEGATIVE_INFINITY : score;
  };
  const s = scores.map(hide);
  const rows = [...Array(n).keys()].map((i) => [...Array(nK).keys()].map((j) => i * nK + j));
  const columns = [...Array(nK).keys()].map((j) => [...Array(n).keys()].map((i) => i * nK + j));
  const group: Group = (i, j) => (name === "wrong-axis" ? columns[j] : rows[i]);
  const total: Group = (i, j) => (name === "keepdims" ? rows[n === 1 ? 0 : j] : group(i, j));
  const largest = (cells: readonly number[]) =>
    cells.reduce(
      (top, at) => (s[at] > top || Number.isNaN(s[at]) ? s[at] : top),
      Number.NEGATIVE_INFINITY,
    );
  const shifts = new Map<readonly number[], number>();
  const shift = (cells: readonly number[]) => {
    if (name === "overflow") return 0;
    const known = shifts.get(cells) ?? largest(cells);
    shifts.set(cells, known);
    return known;
  };
  const part = (at: number) => {
    const below = s[at] - shift(group(Math.floor(at / nK), at % nK));
    if (temperature === 1) return Math.exp(below);
    return Math.exp(below === 0 ? 0 : below / temperature);
  };
  const e = s.map((_, at) => part(at));
  const sums = new Map<readonly number[], number>();
  const sumOf = (cells: readonly number[]) => {
    const known = sums.get(cells) ?? cells.reduce((sum, at) => sum + e[at], 0);
    sums.set(cells, known);
    return known;
  };
  const weights = e.map((value, at) => value / sumOf(total(Math.floor(at / nK), at % nK)));
  // Mistakes that mask rightly keep the definition of a row without a key: its weights are 0.
  const isRightlyMasked = !["mask-after-softmax", "mask-sign", "mask-multiplied"].includes(name);
  if (isMasked && isRightlyMasked && !["overflow", "wrong-axis"].includes(name)) {
    for (const row of rows) if (row.every((at) => mask[at])) for (const at of row) weights[at] = 0;
  }
  if (isMasked && name === "mask-after-softmax") {
    for (let at = 0; at < weights.length; at++) weights[at] *= 1 - mask[at];
  }
  return { scores, weights };
}
