/** The difference of the map to the state before the last edit. */
import type { Matrix } from "../wire/codec";
import { fillDifferences } from "./before";
import { blankCells, formerMap, quantityMap, shownQuantity } from "./quantity";
import type { Store } from "./store";

/** The difference of the quantity on screen: all of it, or the row of the query that is read; null where the numbers before the edit are not known. */
export function differenceMap(store: Store, query?: number): Matrix | null {
  const [old, now] = [formerMap(store, query), quantityMap(store, query)];
  if (!old) return null;
  const { cols } = now;
  return store.before.derived(
    `difference of ${shownQuantity(store).value}`,
    (_, out, start) => fillDifferences(old, now, out, start, start + cols),
    query,
  );
}

/** Why nothing can be compared; empty where there is a state before an edit. */
export const whyNothingBefore = (store: Store): string =>
  store.before.moment ? "" : "there is no edit yet whose difference could be shown";

/** Why the map cannot show a difference; empty where it can. */
export function whyNoDifference(store: Store): string {
  const { name } = shownQuantity(store);
  // A row is enough to know whether there are numbers.
  if (formerMap(store, 0)) return "";
  return whyNothingBefore(store) || `${name} before the last edit is not known`;
}

/** Whether the map shows the difference in place of the quantity. */
export const showsDifference = (store: Store): boolean =>
  store.showsDifference && whyNoDifference(store) === "";

/** 1 = a cell that has no difference to show: the cell is masked as before, or a number is not finite. */
export function blankDifferences(store: Store): Float32Array {
  const blank = blankCells(store);
  const { data, cols } = differenceMap(store) as Matrix;
  return store.before.derived(`blank in ${shownQuantity(store).value}`, (_, out, start) => {
    for (let at = start; at < start + cols; at++) {
      out[at] = Number(!Number.isFinite(data[at]) || (blank[at] && data[at] === 0));
    }
  }).data;
}

/** Whether each cell of these rows shows something else than before the last edit. */
export function changedCells(
  store: Store,
  rows: readonly (number | null)[],
): (query: number, key: number) => boolean {
  const { nK, mask } = store;
  let data: Float32Array | undefined;
  for (const q of rows) if (q !== null) data = differenceMap(store, q)?.data;
  // A masked cell keeps its score, which is hidden.
  const isScore = shownQuantity(store).value === "scores";
  const former = isScore ? store.before.matrix("mask")?.data : undefined;
  return (query, key) => {
    const at = query * nK + key;
    return data !== undefined && (data[at] !== 0 || (former?.[at] ?? mask[at]) !== mask[at]);
  };
}
