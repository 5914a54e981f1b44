/** The scale of the colours: which scale is used, and how a number becomes a place in the table of colours, 0 to 1. */
import { largest, largestSize } from "../maths/extent";
import type { ColorScale, Quantity } from "../wire/schema";
import { blankCells, quantityMap, shownQuantity } from "./quantity";
import type { Store } from "./store";

/** With more tokens, the weights of a row are too small for a scale from 0 to 1. */
const MANY = 16;

/** A scale that is used: "auto" has been decided. */
export type UsedScale = Exclude<ColorScale, "auto">;

/** The scale of a quantity: only weights can have the scale from 0 to 1, and scores have the scale of the map. */
export function shownScale(
  store: Store,
  quantity: Quantity = shownQuantity(store).value,
): UsedScale {
  if (quantity === "scores") return "map";
  const scale = store.get("color_scale");
  const few = Math.max(store.nQ, store.nK) <= MANY ? "unit" : "sqrt";
  const chosen = scale === "auto" ? few : scale;
  return chosen === "unit" && quantity !== "attention" ? "map" : chosen;
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
export function shareOf(value: number, ceiling: number, scale: UsedScale, signed: boolean): number {
  const share = ceiling > 0 ? value / ceiling : 0;
  return signed ? (share + 1) / 2 : placeOf(scale, share);
}

/** The place of a share of the largest number. */
export const placeOf = (scale: ColorScale, share: number) =>
  scale === "sqrt" ? Math.sqrt(share) : share;
