/** A button for each head, in the colour of its lines: a click toggles the head, a double click shows it alone. */
import { largest } from "../../maths/extent";
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { headColor } from "./data";

export function createLegend(changed: () => void, { guarded }: Scope) {
  const element = h("div", { class: "aw-line-heads", role: "group", "aria-label": "heads" });
  const words = "a click toggles a head, a double click shows it alone";
  const hint = h("p", { class: "aw-where" }, words);
  let count = 0;
  let on = new Set<number>();
  const all = () => new Set(Array.from({ length: count }, (_, head) => head));

  function headButton(head: number) {
    const button = h(
      "button",
      { type: "button", class: "aw-line-head", "aria-label": `head ${head}` },
      `${head}`,
    );
    const click = () => {
      if (!on.delete(head)) on.add(head);
      changed();
    };
    const alone = () => {
      on = on.size === 1 && on.has(head) ? all() : new Set([head]);
      changed();
    };
    button.addEventListener("click", guarded(click));
    button.addEventListener("dblclick", guarded(alone));
    return button;
  }

  return {
    element,
    hint,
    /** The heads that are on, in their order. */
    get heads(): number[] {
      return [...on].sort((a, b) => a - b);
    },
    /** Offer so many heads: all of them are on at first, and where other heads are gone. */
    offer(heads: number) {
      count = heads;
      if (on.size === 0 || largest([...on]) >= heads) on = all();
    },
    draw(dark: boolean) {
      element.hidden = hint.hidden = count < 2;
      while (element.children.length > count) element.lastChild?.remove();
      while (element.children.length < count) element.append(headButton(element.children.length));
      [...element.children].forEach((button, head) => {
        const [r, g, b] = headColor(head, dark);
        (button as HTMLElement).style.setProperty("--aw-head", `rgb(${r} ${g} ${b})`);
        button.setAttribute("aria-pressed", String(on.has(head)));
      });
    },
  };
}
