/** The choices under the map: the quantity that the colours show, and the scale of the colours. */
import { offered, QUANTITIES, shownQuantity } from "../../state/quantity";
import { isSigned, isWeights, shownScale } from "../../state/scale";
import type { Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { segmented } from "../../ui/segmented";
import type { ColorScale, Quantity } from "../../wire/schema";

const SCALES = [
  { value: "unit", text: "0–1", title: "colours from 0 to 1" },
  { value: "row", text: "row", title: "colours up to the maximum of each row" },
  { value: "map", text: "map", title: "colours up to the maximum of the map" },
];

export function createChoices(store: Store, scope: Scope) {
  const scale = segmented(
    "colour scale",
    SCALES,
    (value) => store.set("color_scale", value as ColorScale),
    scope,
  );
  const quantity = segmented(
    "colours show",
    QUANTITIES,
    (value) => store.set("quantity", value as Quantity),
    scope,
  );
  const explanation = h("p", { class: "aw-where aw-about" });
  const box = (label: string, element: HTMLElement) =>
    h("div", { class: "aw-scale" }, h("span", {}, label), element);
  const quantityBox = box("colours show", quantity.element);
  const scales = h("div", { class: "aw-scales" }, box("colour scale", scale.element), quantityBox);
  return {
    scales,
    explanation,
    /** Offer the quantities of the source and the scales of the quantity: only weights have a scale from 0 to 1. */
    update() {
      const choices = offered(store);
      const { value, about: words } = shownQuantity(store);
      quantity.offer(choices);
      quantity.set(value);
      quantityBox.hidden = choices.length < 2;
      text(explanation, words);
      explanation.hidden = isWeights(store);
      scale.offer(
        isSigned(store) ? ["map"] : isWeights(store) ? ["unit", "row", "map"] : ["row", "map"],
      );
      scale.set(shownScale(store));
    },
  };
}
