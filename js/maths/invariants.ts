/** Check properties that every correct attention map has. */

import { number } from "../explain/numbers";
import type { Flat } from "../wire/codec";
import { extent } from "./extent";

export interface Invariant {
  name: "row-sums" | "masked" | "numbers";
  holds: boolean;
  /** The result of the check as a sentence on screen. */
  says: string;
}

export function invariants(weights: Flat, mask: Flat, rows: number, cols: number): Invariant[] {
  const sums: number[] = [];
  let leaked = 0;
  let notNumbers = 0;
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    let open = 0;
    for (let at = r * cols; at < (r + 1) * cols; at++) {
      const value = weights[at];
      sum += value;
      open += Number(!mask[at]);
      if (!Number.isFinite(value)) notNumbers++;
      else if (mask[at]) leaked = Math.max(leaked, Math.abs(value));
    }
    if (open) sums.push(sum);
  }
  const sumsAreOne = sums.every((sum) => Math.abs(sum - 1) < 1e-4);
  const [low, high] = extent(sums);
  const range =
    low === high || Number.isNaN(low) ? number(low) : `${number(low)} to ${number(high)}`;
  const maskHolds = leaked < 1e-6;
  return [
    {
      name: "row-sums",
      holds: sumsAreOne,
      says: sumsAreOne ? "rows sum to 1" : `rows sum to ${range}, not to 1`,
    },
    {
      name: "masked",
      holds: maskHolds,
      says: maskHolds
        ? "no attention to masked cells"
        : `a masked cell has attention ${number(leaked)}`,
    },
    {
      name: "numbers",
      holds: notNumbers === 0,
      says: notNumbers ? `cells without a number: ${notNumbers}` : "every cell is a number",
    },
  ];
}
