/** A row of choices of which one (or none) holds: an ARIA radio group with one tab stop. */
import { h } from "../dom";
import type { Scope } from "../scope";

export interface Segmented {
  element: HTMLElement;
  set(value: string | null): void;
  /** Offer these choices alone. */
  offer(values: readonly string[]): void;
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
    const offered = buttons.filter((button) => !button.hidden);
    const from = offered.indexOf(event.target as HTMLButtonElement);
    const next = offered[(from + step + offered.length) % offered.length] as HTMLButtonElement;
    next.focus();
    pick(next.dataset.value as string);
  });
  const offer = (values: readonly string[]) => {
    for (const button of buttons) button.hidden = !values.includes(button.dataset.value as string);
  };
  return { element, set, offer };
}
