/** The switch that shows the difference to the state before the last edit, in every view that can show it. */
import type { Store } from "../state/store";
import { disable, onPress } from "../ui/button";
import { h } from "../ui/dom";
import type { Scope } from "../ui/scope";

const TITLE = "Δ: show the difference to the state before the last edit";

/** `why` returns the reason why there is no difference to show, or "". */
export function createDifferenceSwitch(store: Store, why: (store: Store) => string, scope: Scope) {
  const names = { "data-tool": "difference", "aria-label": TITLE };
  const element = h("button", { class: "aw-button", ...names }, "Δ");
  onPress(element, () => store.showDifference(!store.showsDifference), scope);
  return {
    element,
    update() {
      const reason = why(store);
      disable(element, reason !== "", reason || TITLE);
      element.setAttribute("aria-pressed", String(reason === "" && store.showsDifference));
    },
  };
}
