/** A row of choices of which one (or none) holds: an ARIA radio group with one tab stop. */
import { h } from "../dom";

export interface Segmented {
  element: HTMLElement;
  set(value: string | null): void;
}

export function segmented(
  label: string,
  choices: readonly { value: string; text: string; title?: string }[],
  pick: (value: string) => void,
  signal: AbortSignal,
  /** Arrow keys choose, as in a radio group; or only move, where a choice undoes work. */
  arrows: "choose" | "move" = "choose",
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
  element.addEventListener(
    "click",
    (event) => {
      const button = (event.target as Element).closest("button");
      if (button?.dataset.value !== undefined) pick(button.dataset.value);
    },
    { signal },
  );
  element.addEventListener(
    "keydown",
    (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const from = buttons.indexOf(event.target as HTMLButtonElement);
      const next = buttons[(from + step + buttons.length) % buttons.length] as HTMLButtonElement;
      next.focus();
      if (arrows === "choose") pick(next.dataset.value as string);
    },
    { signal },
  );
  return { element, set };
}
