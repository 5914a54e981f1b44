/** What holds of every right map of attention, and whether it holds of this one. */

import { number } from "../explain/numbers";
import type { Flat } from "../wire/codec";
import { extent } from "./extent";

export interface Invariant {
  name: "row-sums" | "masked" | "numbers";
  holds: boolean;
  says: string;
}

export function invariants(got: Flat, mask: Flat, rows: number, cols: number): Invariant[] {
  const sums: number[] = [];
  let leaked = 0;
  let notNumbers = 0;
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    let open = 0;
    for (let at = r * cols; at < (r + 1) * cols; at++) {
      const value = got[at];
      sum += value;
      open += Number(!mask[at]);
      if (!Number.isFinite(value)) notNumbers++;
      else if (mask[at]) leaked = Math.max(leaked, Math.abs(value));
    }
    if (open) sums.push(sum);
  }
  const whole = sums.every((sum) => Math.abs(sum - 1) < 1e-4);
  const [low, high] = extent(sums);
  const range =
    low === high || Number.isNaN(low) ? number(low) : `${number(low)} to ${number(high)}`;
  const quiet = leaked < 1e-6;
  return [
    {
      name: "row-sums",
      holds: whole,
      says: whole ? "rows sum to 1" : `rows sum to ${range}, not to 1`,
    },
    {
      name: "masked",
      holds: quiet,
      says: quiet ? "no attention to masked cells" : `a masked cell gets ${number(leaked)}`,
    },
    {
      name: "numbers",
      holds: notNumbers === 0,
      says: notNumbers ? `${notNumbers} cells are no numbers` : "every cell is a number",
    },
  ];
}
