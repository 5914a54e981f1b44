/** Describe a cell of the map in words, and choose the first active cell. */
import { blankCells, quantityAt, shownQuantity } from "../state/quantity";
import type { Store } from "../state/store";
import { cellDifference } from "./difference";
import { fixed, number } from "./numbers";
import { inText } from "./tokens";

/** Whether every key of the query is masked. */
export function rowIsEmpty(store: Store, query: number): boolean {
  const start = query * store.nK;
  for (let k = 0; k < store.nK; k++) if (!store.mask[start + k]) return false;
  return true;
}

/**
 * For example "cat → sat 0.42", "cat → sat masked", or "cat → sat effect 1.30" if the map shows another
 * quantity. With a mistake that is switched on, the mistake has a name in the words, and a masked cell may have a number.
 * While the map shows the difference to the state before the last edit, the words end with the difference.
 */
export function describe(store: Store, [query, key]: readonly [number, number]): string {
  const difference = cellDifference(store, query, key);
  const words = wordsOf(store, query, key);
  return difference ? `${words}; ${difference}` : words;
}

function wordsOf(store: Store, query: number, key: number): string {
  const at = query * store.nK + key;
  const out = store.knocks && store.knockedOut(query, key);
  const pair = `${inText(store.tokens[query])} → ${inText(store.keyTokens[key])}`;
  const { mistake } = store;
  const value = quantityAt(store, query, key);
  const isNumber = !blankCells(store)[at] || Number.isNaN(value);
  const note = mistake ? `, with the mistake ${mistake.name}` : "";
  if (!mistake || !isNumber) {
    if (out && out.kind === "remove") return `${pair} knocked out`;
    if (store.locked?.[at]) return `${pair} masked by the model itself, locked${note}`;
    if (rowIsEmpty(store, query)) return `${pair} masked, every key of this query is masked${note}`;
    if (store.mask[at]) return `${pair} masked${note}`;
  }
  const { value: quantity, name } = shownQuantity(store);
  const words = quantity === "attention" ? fixed(value, 2) : `${name} ${number(value)}`;
  if (out) return `${pair} ${words}, knocked out (${out.kind})`;
  return store.mask[at] ? `${pair} masked, but ${words}${note}` : `${pair} ${words}${note}`;
}

/** The selected cell; where none is, the cell that a view marks first. */
export function markedCell(store: Store): readonly [query: number, key: number] {
  const selection = store.get("selection");
  const isInside = selection && selection[0] < store.nQ && selection[1] < store.nK;
  return isInside ? selection : opening(store);
}

/** The first active cell of a view: the middle query and the key with its largest weight. */
export function opening(store: Store): readonly [query: number, key: number] {
  const query = store.nQ >> 1;
  const row = store.attention.data.subarray(query * store.nK, (query + 1) * store.nK);
  return [query, row.reduce((best, p, k) => (p > row[best] ? k : best), 0)];
}
