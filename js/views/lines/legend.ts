/** A button for each head in the colour of the lines: a click toggles the head, a double click shows only this head. */
import type { Store } from "../../state/store";
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { headColor } from "./data";

export function createLegend(store: Store, { guarded }: Scope) {
  const element = h("div", { class: "aw-line-heads", role: "group", "aria-label": "heads" });
  const words = "a click toggles a head, a double click shows it alone";
  const hint = h("p", { class: "aw-where" }, words);
  let count = 0;
  const all = () => Array.from({ length: count }, (_, head) => head);
  const visible = () => (store.get("heads_on") ?? all()).filter((head) => head < count);

  function headButton(head: number) {
    const button = h("button", { class: "aw-line-head", "aria-label": `head ${head}` }, `${head}`);
    const click = () => {
      const heads = visible();
      const others = heads.filter((each) => each !== head);
      const next = others.length < heads.length ? others : [...heads, head].sort((a, b) => a - b);
      store.set("heads_on", next.length === count ? null : next);
    };
    const doubleClick = () => {
      const heads = visible();
      store.set("heads_on", heads.length === 1 && heads[0] === head ? null : [head]);
    };
    button.addEventListener("click", guarded(click));
    button.addEventListener("dblclick", guarded(doubleClick));
    return button;
  }

  return {
    element,
    hint,
    /** The heads that are drawn, in ascending order. */
    get heads(): number[] {
      return visible();
    },
    /** Offer this many heads. */
    offer(heads: number) {
      count = heads;
    },
    draw(dark: boolean) {
      element.hidden = hint.hidden = count < 2;
      while (element.children.length > count) element.lastChild?.remove();
      while (element.children.length < count) element.append(headButton(element.children.length));
      const drawn = visible();
      [...element.children].forEach((button, head) => {
        const [r, g, b] = headColor(head, dark);
        (button as HTMLElement).style.setProperty("--aw-head", `rgb(${r} ${g} ${b})`);
        button.setAttribute("aria-pressed", String(drawn.includes(head)));
      });
    },
  };
}
