/** The arithmetic of the number under the pointer, and its line of NumPy. */

import type { Explanation } from "../../explain/explain";
import type { Store } from "../../state/store";
import { copyButton } from "../../ui/copy";
import { fill, h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { strong } from "../../ui/words";
import type { Shown } from "./flow";
import { placeOf, whose } from "./words";

/** Tokens as they are cut off where they are long. */
function ofWhom(text: string): HTMLElement {
  return h("bdi", { class: "aw-of", title: text }, text);
}

export function createPanel(parent: HTMLElement, store: Store, scope: Scope) {
  const title = h("div", { class: "aw-explained" });
  const lines = h("div", { class: "aw-sums" });
  let numpy = "";
  const copy = copyButton(() => numpy, scope);
  const element = h("div", { class: "aw-explain", role: "status" }, title, lines, copy);
  parent.append(element);
  return {
    element,
    show(shown: Shown, explanation: Explanation) {
      numpy = explanation.numpy;
      const [place, of] = [placeOf(shown), whose(store, shown)];
      fill(title, `${place}\n${of}`, () => [h("b", {}, place), " ", ofWhom(of)]);
      fill(lines, explanation.lines.join("\n"), () =>
        explanation.lines.map((line) => h("div", {}, ...strong(line))),
      );
      Object.assign(element.dataset, {
        cell: [shown.name, shown.row, shown.col].join(),
        value: explanation.value,
        numpy: explanation.numpy,
      });
    },
  };
}
