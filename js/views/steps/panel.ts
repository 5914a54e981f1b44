/** The arithmetic of the explained entry, in words and as a line of NumPy. */
import type { Explanation } from "../../explain/explain";
import type { Store } from "../../state/store";
import { copyButton } from "../../ui/copy";
import { fill, h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { strong } from "../../ui/words";
import type { Entry } from "./flow";
import { placeOf, tokensOf } from "./words";

/** The tokens of an entry, which the stylesheet cuts off where they are long. */
function tokensElement(text: string): HTMLElement {
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
    show(entry: Entry, explanation: Explanation) {
      numpy = explanation.numpy;
      const [place, tokens] = [placeOf(entry), tokensOf(store, entry)];
      fill(title, `${place}\n${tokens}`, () => [h("b", {}, place), " ", tokensElement(tokens)]);
      fill(lines, explanation.lines.join("\n"), () =>
        explanation.lines.map((line) => h("div", {}, ...strong(line))),
      );
      Object.assign(element.dataset, {
        cell: [entry.name, entry.row, entry.col].join(),
        value: explanation.value,
        numpy: explanation.numpy,
      });
    },
  };
}
