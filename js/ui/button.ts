/** Buttons that keep the focus while they are disabled, so that the next key still reaches the card. */
import { h } from "./dom";
import { type IconName, icon } from "./icons";
import type { Scope } from "./scope";

export function iconButton(
  name: IconName,
  label: string,
  act: () => void,
  scope: Scope,
): HTMLButtonElement {
  const props = { class: "aw-button", "aria-label": label, title: label } as const;
  const element = h("button", props, icon(name));
  onPress(element, act, scope);
  return element;
}

/** Call `act` on a click unless the button is disabled. */
export function onPress(element: HTMLElement, act: () => unknown, { listen }: Scope): void {
  listen(element, "click", () => element.getAttribute("aria-disabled") !== "true" && act());
}

/** Disable a button without taking the focus from it; the tooltip is the reason, if there is a reason to tell. */
export function disable(element: HTMLElement, isDisabled: boolean, title: string): void {
  element.setAttribute("aria-disabled", String(isDisabled));
  element.title = title;
}
