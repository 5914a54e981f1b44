/** The scale of the colours: how a number of the map becomes a place in the table of colours, 0 to 1. */
import type { ColorScale, Quantity } from "../wire/schema";
import { shownQuantity } from "./quantity";
import type { Store } from "./store";

/** With more tokens, the weights of a row are too small for a scale from 0 to 1. */
const MANY = 16;

/** The scale of a quantity: only weights can have the scale from 0 to 1, and scores have the scale of the map. */
export function shownScale(
  store: Store,
  quantity: Quantity = shownQuantity(store).value,
): Exclude<ColorScale, "auto"> {
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

/** The place of a share of the largest number. */
export const placeOf = (scale: ColorScale, share: number) =>
  scale === "sqrt" ? Math.sqrt(share) : share;
