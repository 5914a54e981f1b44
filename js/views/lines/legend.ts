/** A button for each head in the colour of the lines: a click toggles the head, a double click shows only this head. */
import { largest } from "../../maths/extent";
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { headColor } from "./data";

export function createLegend(changed: () => void, { guarded }: Scope) {
  const element = h("div", { class: "aw-line-heads", role: "group", "aria-label": "heads" });
  const words = "a click toggles a head, a double click shows it alone";
  const hint = h("p", { class: "aw-where" }, words);
  let count = 0;
  let visible = new Set<number>();
  const all = () => new Set(Array.from({ length: count }, (_, head) => head));

  function headButton(head: number) {
    const button = h(
      "button",
      { type: "button", class: "aw-line-head", "aria-label": `head ${head}` },
      `${head}`,
    );
    const click = () => {
      if (!visible.delete(head)) visible.add(head);
      changed();
    };
    const doubleClick = () => {
      visible = visible.size === 1 && visible.has(head) ? all() : new Set([head]);
      changed();
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
      return [...visible].sort((a, b) => a - b);
    },
    /** Offer this many heads. All are drawn at first, and again where a drawn head no longer exists. */
    offer(heads: number) {
      count = heads;
      if (visible.size === 0 || largest([...visible]) >= heads) visible = all();
    },
    draw(dark: boolean) {
      element.hidden = hint.hidden = count < 2;
      while (element.children.length > count) element.lastChild?.remove();
      while (element.children.length < count) element.append(headButton(element.children.length));
      [...element.children].forEach((button, head) => {
        const [r, g, b] = headColor(head, dark);
        (button as HTMLElement).style.setProperty("--aw-head", `rgb(${r} ${g} ${b})`);
        button.setAttribute("aria-pressed", String(visible.has(head)));
      });
    },
  };
}
