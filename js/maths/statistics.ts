/** Statistics that describe a head by a number, computed as in Python's `statistics`, where each has its source. */

/** The weights of a head: n queries, n keys. */
type Map_ = ArrayLike<number>;

/** Each statistic: the value of a row, null for a row that does not count. */
type OfRow = (p: Map_, row: number, n: number, same: Same) => number | null;
/** Whether the tokens of two positions are the same. */
type Same = (a: number, b: number) => boolean;

function sum(p: Map_, row: number, n: number, value: (weight: number, key: number) => number) {
  let total = 0;
  for (let key = 0; key < n; key++) total += value(p[row * n + key], key);
  return total;
}

/** The weight on the keys that `isKey` picks; null if there are none. */
const weightOn = (p: Map_, row: number, n: number, isKey: (key: number) => boolean) => {
  let any = false;
  const total = sum(p, row, n, (weight, key) => {
    const is = isKey(key);
    any ||= is;
    return is ? weight : 0;
  });
  return any ? total : null;
};

const STATISTICS: Record<string, OfRow> = {
  entropy: (p, row, n) => sum(p, row, n, (w) => (w > 0 ? -w * Math.log2(w) : 0)),
  distance: (p, row, n) => sum(p, row, n, (w, key) => w * Math.abs(row - key)),
  diagonal: (p, row, n) => p[row * n + row],
  "previous-token": (p, row, n) => (row > 0 ? p[row * n + row - 1] : null),
  "first-token": (p, row, n) => (row > 0 ? p[row * n] : null),
  "duplicate-token": (p, row, n, same) => weightOn(p, row, n, (k) => k < row && same(k, row)),
  // After the occurrence just before a query comes the query itself, which is no induction.
  induction: (p, row, n, same) =>
    weightOn(p, row, n, (k) => k > 0 && k !== row && k - 1 < row && same(k - 1, row)),
};
export const NAMES = Object.keys(STATISTICS);

/** Every statistic by name; null where no row counts, where queries and keys differ, and for NaN. */
export function statistics(
  weights: Map_,
  tokens: readonly string[],
  nK: number,
): Record<string, number | null> {
  const n = tokens.length;
  if (weights.length !== n * n || nK !== n) {
    return Object.fromEntries(NAMES.map((name) => [name, null]));
  }
  const same: Same = (a, b) => tokens[a] === tokens[b];
  const rows = [...Array(n).keys()].filter((row) => sum(weights, row, n, Number) > 0);
  return Object.fromEntries(
    NAMES.map((name) => {
      const values = rows
        .map((row) => STATISTICS[name](weights, row, n, same))
        .filter((value) => value !== null);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return [name, Number.isFinite(mean) ? mean : null];
    }),
  );
}

/** The weights without the first key, each row normalised again; a row that had nothing else is 0. */
export function withoutFirstKey(weights: Map_, n: number, nK: number): Float64Array {
  const result = Float64Array.from(weights);
  for (let row = 0; row < n; row++) {
    result[row * nK] = 0;
    const total = sum(result, row, nK, Number);
    for (let key = 0; key < nK && total > 0; key++) result[row * nK + key] /= total;
  }
  return result;
}
