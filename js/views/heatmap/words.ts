/** The map in words: what a screen reader says, and what a program reads. */

import { number } from "../../explain/numbers";
import { visible } from "../../explain/tokens";
import { quantityAt, shownQuantity } from "../../state/quantity";
import type { Store } from "../../state/store";
import type { Cell } from "../../ui/focus";

export function rowIsEmpty(store: Store, query: number): boolean {
  const start = query * store.nK;
  for (let k = 0; k < store.nK; k++) if (!store.mask[start + k]) return false;
  return true;
}

/** "cat → sat 0.42", "cat → sat masked"; "cat → sat effect 1.30" where other numbers are drawn. */
export function describe(store: Store, [query, key]: Cell): string {
  const at = query * store.nK + key;
  const pair = `${visible(store.tokens[query] as string)} → ${visible(store.keyTokens[key] as string)}`;
  if (store.locked?.[at]) return `${pair} masked by the model itself, locked`;
  if (rowIsEmpty(store, query)) return `${pair} masked, every key of this query is masked`;
  if (store.mask[at]) return `${pair} masked`;
  const { value, name } = shownQuantity(store);
  if (value === "attention") return `${pair} ${(store.attention.data[at] as number).toFixed(2)}`;
  return `${pair} ${name} ${number(quantityAt(store, query, key))}`;
}

/** What a click on a label does: masks what is free, or frees it all when nothing is. */
export function labelEdit(
  store: Store,
  cells: readonly number[],
): { free: boolean; cells: number[] } {
  const own = cells.filter((cell) => !store.locked?.[cell]);
  return { free: own.length > 0 && own.every((cell) => store.mask[cell]), cells: own };
}

/** The cell to begin with: where the middle query looks most. */
export function opening(store: Store): Cell {
  const query = store.nQ >> 1;
  const row = store.attention.data.subarray(query * store.nK, (query + 1) * store.nK);
  return [query, row.reduce((best, p, k) => (p > (row[best] as number) ? k : best), 0)];
}

/** What a click on the label under the pointer does. */
export function labelTitle(store: Store, row: number | null, column: number | null): string {
  if (row !== null) {
    return `“${store.tokens[row]}” as query: a click masks or frees its whole row`;
  }
  if (column !== null) {
    return `“${store.keyTokens[column]}” as key: a click masks or frees its whole column`;
  }
  return "";
}
