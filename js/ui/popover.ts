/** A panel that a button opens above everything else. The browser closes it on Escape and on a click elsewhere. */
import type { Scope } from "./scope";

/** Room in CSS pixels below which the panel opens above its button. */
const ROOM = 240;

export function createPopover(
  button: HTMLButtonElement,
  panel: HTMLElement,
  kind: "menu" | "dialog",
  { listen }: Scope,
): { close(): void } {
  let isOpen = false;
  panel.classList.add("aw-popover");
  panel.setAttribute("popover", "auto");
  button.setAttribute("aria-haspopup", kind);
  button.setAttribute("aria-expanded", "false");
  // The browser knows by this property that a click on the button of an open panel closes the panel.
  button.popoverTargetElement = panel;
  listen(panel, "beforetoggle", (event) => {
    if ((event as ToggleEvent).newState === "open") place(button, panel);
  });
  listen(panel, "toggle", (event) => {
    isOpen = (event as ToggleEvent).newState === "open";
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) focusable(panel)?.focus();
  });
  const keepEscape = (event: KeyboardEvent) => {
    // Escape closes the panel; the notebook would leave the card.
    if (isOpen && event.key === "Escape") event.stopPropagation();
  };
  listen(panel, "keydown", keepEscape);
  listen(button, "keydown", keepEscape);
  const close = () => isOpen && panel.hidePopover();
  // The panel stands still on the screen, so it is closed where the page moves under it.
  const { ownerDocument: page } = panel;
  listen(page, "scroll", ({ target }) => panel.contains(target as Node) || close(), {
    capture: true,
    passive: true,
  });
  return { close };
}

function focusable(panel: HTMLElement): HTMLElement | null {
  const every = [...panel.querySelectorAll<HTMLElement>("button:not(:disabled), input")];
  return every.find((element) => element.getAttribute("aria-checked") === "true") ?? every[0];
}

/** Put the panel under the button, or above it at the lower edge of the window. */
function place(button: HTMLElement, panel: HTMLElement): void {
  const { innerWidth, innerHeight } = window;
  const box = button.getBoundingClientRect();
  const isLeft = box.left < innerWidth / 2;
  const isBelow = innerHeight - box.bottom > ROOM || box.top < ROOM;
  Object.assign(panel.style, {
    left: isLeft ? `${Math.max(4, box.left)}px` : "auto",
    right: isLeft ? "auto" : `${Math.max(4, innerWidth - box.right)}px`,
    top: isBelow ? `${box.bottom + 4}px` : "auto",
    bottom: isBelow ? "auto" : `${innerHeight - box.top + 4}px`,
  });
}
