/**
 * The extremes of arrays of any length. `Math.max(...values)` passes each value as an argument, and a
 * call takes about 120,000 of them: fewer than a map of 350 tokens has cells.
 */

/** The largest value, or `least` where no value is larger. */
export function largest(values: ArrayLike<number>, least = 0): number {
  let max = least;
  for (let i = 0; i < values.length; i++) {
    if (values[i] > max) max = values[i];
  }
  return max;
}

/** The smallest and the largest value; NaN where a value is NaN. */
export function extent(values: ArrayLike<number>): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return [low, high];
}
