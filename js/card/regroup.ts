/** What a row of the map is: a token or a word, special tokens with the others or left out. */

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
        title: "sub-tokens put together: columns summed, rows averaged",
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
      title: "leave special tokens out: [CLS], [SEP], padding and the like",
    },
    "hide special",
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
