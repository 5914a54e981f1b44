/** The colours of the numbers of the map: which scale is used, and where on the scale a number lies. */
import { largest } from "../maths/extent";
import type { ColorScale } from "../wire/schema";
import { blankCells, quantityMap, shownQuantity } from "./quantity";
import type { Store } from "./store";

/** The scale that is used: only weights can have the scale from 0 to 1, and scores have the scale of the map. */
export function shownScale(store: Store): ColorScale {
  const scale = store.get("color_scale");
  if (isSigned(store)) return "map";
  return scale === "unit" && !isWeights(store) ? "map" : scale;
}

export function isWeights(store: Store): boolean {
  return shownQuantity(store).value === "attention";
}

export function isSigned(store: Store): boolean {
  return shownQuantity(store).value === "scores";
}

/** The number with the last colour in a row; the same number in every row, except on the scale "row". */
export function ceilingOf(store: Store, query: number): number {
  const scale = shownScale(store);
  if (scale === "unit") return 1;
  const { nK } = store;
  if (scale === "row") {
    return largest(quantityMap(store, query).data.subarray(query * nK, (query + 1) * nK));
  }
  return store.once(`ceiling of ${shownQuantity(store).value}`, () => {
    const { data } = quantityMap(store);
    return isSigned(store) ? largestSize(data, blankCells(store)) : largest(data);
  });
}

/** The place of a number in the table of colours, from 0 to 1; in a signed table, 0 is in the middle. */
export function shareOf(value: number, ceiling: number, signed: boolean): number {
  const share = ceiling > 0 ? value / ceiling : 0;
  return signed ? (share + 1) / 2 : share;
}

/** The largest absolute value of the cells that have a number. */
function largestSize(values: Float32Array, blank: Uint8Array): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (!blank[i] && size > max && size < Infinity) max = size;
  }
  return max;
}
