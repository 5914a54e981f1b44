/**
 * The extremes of arrays of any length. `Math.max(...values)` fails on a large map, because a call
 * takes about 120,000 arguments: a map of 350 tokens has more cells.
 */

/** Return the largest value, or `least` if no value is larger. */
export function largest(values: ArrayLike<number>, least = 0): number {
  let max = least;
  for (let i = 0; i < values.length; i++) {
    if (values[i] > max) max = values[i];
  }
  return max;
}

/** Return the smallest and the largest value; both are NaN if any value is NaN. */
export function extent(values: ArrayLike<number>): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return [low, high];
}

/** Return the largest absolute value of those that are finite and not `blank` (1 = blank). */
export function largestSize(values: ArrayLike<number>, blank?: ArrayLike<number>): number {
  let size = 0;
  for (let i = 0; i < values.length; i++) {
    if (!blank?.[i] && Number.isFinite(values[i])) size = Math.max(size, Math.abs(values[i]));
  }
  return size;
}
