/** A row of choices of which one (or none) holds: an ARIA radio group with one tab stop. */
import { h } from "./dom";
import type { Scope } from "./scope";

export interface Segmented {
  element: HTMLElement;
  set(value: string | null): void;
  /** Offer these choices alone; `barred` says why a choice cannot be made now, empty where it can. */
  offer(values: readonly string[], barred?: (value: string) => string): void;
}

export function segmented(
  label: string,
  choices: readonly { value: string; text: string; title?: string }[],
  pick: (value: string) => void,
  { listen }: Scope,
): Segmented {
  const element = h("div", { class: "aw-segmented", role: "radiogroup", "aria-label": label });
  const buttons = choices.map(({ value, text, title }) =>
    h(
      "button",
      { type: "button", role: "radio", "data-value": value, "data-text": text, title },
      text,
    ),
  );
  element.append(...buttons);
  let current: string | null | undefined;
  const set = (value: string | null) => {
    if (value === current) return;
    current = value;
    const at = choices.findIndex((choice) => choice.value === value);
    buttons.forEach((button, i) => {
      button.setAttribute("aria-checked", String(i === at));
      button.tabIndex = i === Math.max(at, 0) ? 0 : -1;
    });
  };
  set(null);
  listen(element, "click", (event) => {
    const button = (event.target as Element).closest("button");
    if (button?.dataset.value !== undefined) pick(button.dataset.value);
  });
  listen(element, "keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const offered = buttons.filter((button) => !button.hidden && !button.disabled);
    const from = offered.indexOf(event.target as HTMLButtonElement);
    const next = offered[(from + step + offered.length) % offered.length];
    next.focus();
    pick(next.dataset.value as string);
  });
  const offer: Segmented["offer"] = (values, barred = () => "") => {
    buttons.forEach((button, i) => {
      const value = button.dataset.value as string;
      const why = barred(value);
      button.hidden = !values.includes(value);
      button.disabled = why !== "";
      button.title = why || (choices[i]?.title ?? "");
    });
  };
  return { element, set, offer };
}
