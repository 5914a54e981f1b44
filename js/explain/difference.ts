/** The difference of a number to the state before the last edit, in words. */
import { differenceMap, showsDifference } from "../state/difference";
import { formerMap, quantityAt } from "../state/quantity";
import type { Store } from "../state/store";
import { number, signed } from "./numbers";

/** For example "before 0.17, now 0: Δ = −0.17". */
export function differenceWords(old: number, now: number): string {
  return `before ${number(old)}, now ${number(now)}: Δ = ${signed(now - old, number)}`;
}

/** The difference of a cell of the map; empty while the map shows none. */
export function cellDifference(store: Store, query: number, key: number): string {
  if (!showsDifference(store)) return "";
  const at = query * store.nK + key;
  const [old, now] = [formerMap(store, query)?.data[at] as number, quantityAt(store, query, key)];
  // A difference that rounding makes is shown as 0.
  return differenceWords(differenceMap(store, query)?.data[at] === 0 ? now : old, now);
}
