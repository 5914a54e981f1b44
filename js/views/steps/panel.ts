/** The panel of the steps: the arithmetic of the explained entry, in words and as a line of NumPy. */
import { createDifferenceSwitch } from "../../card/difference-switch";
import type { Explanation } from "../../explain/explain";
import { number } from "../../explain/numbers";
import { whyNothingBefore } from "../../state/difference";
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

/** What the user has chosen for the panel. */
interface PanelState {
  isBeside?: boolean;
  isFolded?: boolean;
}

/** The tokens of an entry, which the stylesheet cuts off where they are long. The arrow points from left to right. */
function tokensElement(text: string): HTMLElement {
  return h("bdi", { dir: "ltr", class: "aw-of", title: text }, text);
}

export function createPanel(root: HTMLElement, store: Store, scope: Scope) {
  const title = h("div", { class: "aw-explained" });
  const value = h("output", { class: "aw-explained-value" });
  const lines = h("div", { class: "aw-sums" });
  let numpy = "";
  let free: Free | null = null;
  const state = (store.kept.get("steps panel") as PanelState | undefined) ?? {};
  store.kept.set("steps panel", state);
  const flip = (name: keyof PanelState) => () => {
    state[name] = !state[name];
    place();
  };
  const delta = createDifferenceSwitch(store, whyNothingBefore, scope);
  const side = tool("dock", "dock this panel at the side", icon("dock"), flip("isBeside"));
  const fold = tool("fold", "fold this panel", icon("fold"), flip("isFolded"));
  const tools = h("div", { class: "aw-explain-tools" }, delta.element, side, fold);
  const words = h("div", { class: "aw-explain-text", role: "status" }, title, value, lines);
  const copy = copyButton(() => numpy, scope);
  const element = h("div", { class: "aw-explain" }, tools, words, copy);
  root.append(element);
  place();

  function tool(name: string, title: string, content: Node | string, press: () => void) {
    const names = { "data-tool": name, title, "aria-label": title };
    const button = h("button", { class: "aw-button", ...names }, content);
    scope.listen(button, "click", press);
    return button;
  }

  /** At the side, in a place of the chart without matrices, or below the chart. */
  function place() {
    const isFree = free !== null && free.width >= LEAST;
    root.dataset.panel = state.isBeside ? "side" : isFree ? "free" : "below";
    element.dataset.folded = String(state.isFolded ?? false);
    side.setAttribute("aria-pressed", String(state.isBeside ?? false));
    fold.setAttribute("aria-pressed", String(state.isFolded ?? false));
    const margins = isFree && !state.isBeside && free ? `${free.y}px 0 0 ${free.x}px` : "";
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
      delta.update();
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
