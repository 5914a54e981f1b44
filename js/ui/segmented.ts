/** A row of buttons of which at most one is selected: an ARIA radio group with one tab stop. */
import { h } from "./dom";
import type { Scope } from "./scope";

export interface Segmented {
  element: HTMLElement;
  set(value: string | null): void;
  /** Show only these choices. `barred` returns why a choice is disabled, or "" if the choice is enabled. */
  offer(values: readonly string[], barred?: (value: string) => string): void;
}

/** Return how far an arrow key moves in a radio group, 0 for another key; the host does not see an arrow key. */
export function radioStep(event: KeyboardEvent): number {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key] ?? 0;
  if (step) {
    event.preventDefault();
    event.stopPropagation();
  }
  return step;
}

export function segmented(
  label: string,
  choices: readonly { value: string; text: string; title?: string }[],
  pick: (value: string) => void,
  { listen }: Scope,
): Segmented {
  const element = h("div", { class: "aw-segmented", role: "radiogroup", "aria-label": label });
  const buttons = choices.map(({ value, text, title }) =>
    h("button", { role: "radio", "data-value": value, "data-text": text, title }, text),
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
    const step = radioStep(event);
    if (!step) return;
    const offered = buttons.filter((button) => !button.hidden && !button.disabled);
    const from = offered.indexOf(event.target as HTMLButtonElement);
    const next = offered[(from + step + offered.length) % offered.length];
    next.focus();
    pick(next.dataset.value as string);
  });
  const offer: Segmented["offer"] = (values, barred = () => "") => {
    buttons.forEach((button, i) => {
      const value = button.dataset.value as string;
      const reason = barred(value);
      button.hidden = !values.includes(value);
      button.disabled = reason !== "";
      button.title = reason || (choices[i].title ?? "");
    });
  };
  return { element, set, offer };
}
