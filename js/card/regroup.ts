/** Choose whether a row of the map is a token or a word, and whether special tokens are hidden. */

import type { Store } from "../state/store";
import { h } from "../ui/dom";
import type { Scope } from "../ui/scope";
import { segmented } from "../ui/segmented";

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
  const special = h(
    "button",
    {
      type: "button",
      class: "aw-toggle",
      title: "hide special tokens such as [CLS], [SEP] and padding",
    },
    "hide special tokens",
  );
  scope.listen(special, "click", () => store.set("hide_special", !store.get("hide_special")));
  const element = h("div", { class: "aw-regroup" }, merge.element, special);
  return {
    element,
    update() {
      const [merging, hidden] = [store.get("merge"), store.get("hide_special")];
      merge.element.hidden = merging === null;
      special.hidden = hidden === null;
      element.hidden = merging === null && hidden === null;
      merge.set(merging);
      special.setAttribute("aria-pressed", String(hidden === true));
    },
  };
}
