/** The panel of the steps: the arithmetic of the explained entry, in words and as a line of NumPy. */
import type { Explanation } from "../../explain/explain";
import { number } from "../../explain/numbers";
import type { Store } from "../../state/store";
import { copyButton } from "../../ui/copy";
import { fill, h, text } from "../../ui/dom";
import { icon } from "../../ui/icons";
import type { Scope } from "../../ui/scope";
import { strong } from "../../ui/words";
import type { Entry, Free } from "./flow";
import { placeOf, tokensOf } from "./words";

/** From this width on a place without matrices has room for the panel. */
const LEAST = 340;

/** The tokens of an entry, which the stylesheet cuts off where they are long. */
function tokensElement(text: string): HTMLElement {
  return h("bdi", { class: "aw-of", title: text }, text);
}

export function createPanel(root: HTMLElement, store: Store, scope: Scope) {
  const title = h("div", { class: "aw-explained" });
  const value = h("output", { class: "aw-explained-value" });
  const lines = h("div", { class: "aw-sums" });
  let numpy = "";
  let isBeside = false;
  let free: Free | null = null;
  const label = "show the difference to the state before the last edit";
  const delta = h(
    "button",
    { type: "button", class: "aw-button", "data-tool": "difference", "aria-label": label },
    "Δ",
  );
  delta.title = label;
  scope.listen(delta, "click", () => store.showDifference(!store.showsDifference));
  const side = toggle("dock", "dock this panel at the side", () => {
    isBeside = !isBeside;
    place();
  });
  const fold = toggle("fold", "fold this panel", () => {
    element.dataset.folded = String(element.dataset.folded !== "true");
  });
  const tools = h("div", { class: "aw-explain-tools" }, delta, side, fold);
  const words = h("div", { class: "aw-explain-text", role: "status" }, title, value, lines);
  const element = h(
    "div",
    { class: "aw-explain" },
    tools,
    words,
    copyButton(() => numpy, scope),
  );
  root.append(element);
  place();

  function toggle(name: "dock" | "fold", label: string, press: () => void) {
    const button = h(
      "button",
      { type: "button", class: "aw-button", "data-tool": name, "aria-label": label, title: label },
      icon(name),
    );
    button.setAttribute("aria-pressed", "false");
    scope.listen(button, "click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      press();
    });
    return button;
  }

  /** At the side, in a place of the chart without matrices, or below the chart. */
  function place() {
    const isFree = free !== null && free.width >= LEAST;
    root.dataset.panel = isBeside ? "side" : isFree ? "free" : "below";
    const margins = isFree && !isBeside && free ? `${free.y}px 0 0 ${free.x}px` : "";
    element.style.margin = margins;
    element.style.maxWidth = margins && free ? `${free.width}px` : "";
  }

  return {
    element,
    /** The chart has another layout: `next` is the place there without matrices. */
    arrange(next: Free | null) {
      free = next;
      place();
    },
    show(entry: Entry, explanation: Explanation, difference: string) {
      const all = difference ? [...explanation.lines, difference] : explanation.lines;
      delta.disabled = store.before.edits === 0;
      delta.setAttribute("aria-pressed", String(store.showsDifference));
      numpy = explanation.numpy;
      const [place, tokens] = [placeOf(entry), tokensOf(store, entry)];
      fill(title, `${place}\n${tokens}`, () => [h("b", {}, place), " ", tokensElement(tokens)]);
      text(value, `= ${number(explanation.value)}`);
      fill(lines, all.join("\n"), () => all.map((line) => h("div", {}, ...strong(line))));
      Object.assign(element.dataset, {
        cell: [entry.name, entry.row, entry.col].join(),
        value: explanation.value,
        numpy: explanation.numpy,
      });
    },
  };
}
