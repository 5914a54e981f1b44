/** Choose whether a row of the map is a token or a word, and whether special tokens are hidden. */

import type { Store } from "../state/store";
import { needsPython } from "../state/waiting";
import { disable, onPress } from "../ui/button";
import { h } from "../ui/dom";
import type { Scope } from "../ui/scope";
import { segmented } from "../ui/segmented";

const HIDE = "hide special tokens such as [CLS], [SEP] and padding";

export function createRegroup(store: Store, scope: Scope) {
  const merge = segmented(
    "rows and columns",
    [
      { value: "tokens", text: "tokens", title: "a row for each token" },
      {
        value: "words",
        text: "words",
        title: "a row for each word: columns of its sub-tokens are summed, rows are averaged",
      },
    ],
    (value) => store.set("merge", value),
    scope,
  );
  const props = { class: "aw-toggle", "data-text": "hide special" } as const;
  const special = h("button", props, "hide special");
  onPress(special, () => store.set("hide_special", !store.get("hide_special")), scope);
  const element = h("div", { class: "aw-regroup" }, merge.element, special);
  return {
    element,
    /** `isModel`: the switches keep their place, also where a stack of the model has no words. */
    update(isModel: boolean) {
      const [merging, hidden] = [store.get("merge"), store.get("hide_special")];
      element.hidden = merging === null && hidden === null && !isModel;
      merge.set(merging);
      const python = store.saved ? needsPython("other rows and columns of the map") : "";
      const noWords = merging === null ? "the tokens of this map do not belong to words" : python;
      merge.offer(["tokens", "words"], () => noWords);
      special.setAttribute("aria-pressed", String(hidden === true));
      const noSpecial = "this map has no special tokens";
      const reason = hidden === null ? noSpecial : python;
      disable(special, reason !== "", reason || HIDE);
    },
  };
}
