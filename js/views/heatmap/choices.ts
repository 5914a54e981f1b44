/** The choices under the map: the quantity that the colours show, and the scale of the colours. */
import { createDifferenceSwitch } from "../../card/difference-switch";
import { showsDifference, whyNoDifference } from "../../state/difference";
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
  {
    value: "sqrt",
    text: "√ map",
    title: "colours of the square root, up to the maximum of the map: weak cells show",
  },
];

const RUN = "have both signs: their colours run from −maximum to maximum of the map";
const SIGNED = `scores ${RUN}`;
const DIFFERENCE = `differences ${RUN}`;

/** Why a quantity is not offered. */
const LACKING: Record<Quantity, string> = {
  attention: "",
  scores: "this map has no scores of its own: words and means have weights only",
  "value-norm": "this map has no values V: words and means have weights only",
  "output-norm": "the output projection W_O is not known for this map",
  "output-shift": "this map has no values V: words and means have weights only",
};

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
  const difference = createDifferenceSwitch(store, whyNoDifference, scope);
  const explanation = h("p", { class: "aw-where aw-about" });
  const box = (label: string, element: HTMLElement) =>
    h("div", { class: "aw-scale" }, h("span", {}, label), element);
  const quantityBox = box("colours show", quantity.element);
  const scales = h(
    "div",
    { class: "aw-scales" },
    box("colour scale", scale.element),
    quantityBox,
    box("last edit", difference.element),
  );
  return {
    scales,
    explanation,
    /** Offer the quantities of the source and the scales of the quantity: only weights have a scale from 0 to 1. */
    update() {
      const choices = offered(store);
      const { value, about, name } = shownQuantity(store);
      const isBetween = store.runDifference !== null;
      const isDifference = isBetween || showsDifference(store);
      // The maps of a model have more quantities than its words or means, and a sentence has no effect
      // under a mistake: the choice stays in its place and says why it is disabled.
      const isModel = store.get("layers").some(({ module }) => module !== "");
      const listed = isModel ? Object.keys(LACKING) : choices;
      if (store.mistake) listed.push("output-shift");
      quantity.offer(listed, (name) => {
        if (choices.includes(name as Quantity)) return "";
        return name === "output-shift" && store.mistake
          ? "the effect is computed for a softmax by row, which a mistake may change"
          : LACKING[name as Quantity];
      });
      quantity.set(value);
      quantityBox.hidden = choices.length < 2 && !isModel;
      text(
        explanation,
        isBetween
          ? "Δ: attention after minus before the knock-outs; blue fell, red rose."
          : isDifference
            ? `Δ: ${name} now minus before the last edit; blue fell, red rose.`
            : about,
      );
      difference.update();
      const [signed, weights] = [isDifference || isSigned(store), isWeights(store)];
      scale.offer(
        SCALES.map(({ value }) => value),
        (name) => {
          if (signed) return name === "map" ? "" : isDifference ? DIFFERENCE : SIGNED;
          return name === "unit" && !weights ? "only attention weights are between 0 and 1" : "";
        },
      );
      scale.set(isDifference ? "map" : shownScale(store));
    },
  };
}
