/** The map by keyboard: an ARIA grid of which the active cell is always in the document. */

import type { Store } from "../../state/store";
import type { Cell } from "../../ui/focus";
import type { Scope } from "../../ui/scope";

export interface KeyboardState {
  cell: Cell;
  anchor: Cell | null;
}

export interface KeyboardActions {
  move(cell: Cell, anchor: Cell | null): void;
  toggle(): void;
  leave(): void;
}

/** The cell that a key leads to, or null where the key is none of ours. */
export function step(
  event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey">,
  [q, k]: Cell,
  nQ: number,
  nK: number,
): Cell | null {
  const end = event.ctrlKey || event.metaKey;
  const clamp = (a: number, b: number): Cell => [
    Math.min(nQ - 1, Math.max(0, a)),
    Math.min(nK - 1, Math.max(0, b)),
  ];
  switch (event.key) {
    case "ArrowUp":
      return clamp(end ? 0 : q - 1, k);
    case "ArrowDown":
      return clamp(end ? nQ - 1 : q + 1, k);
    case "ArrowLeft":
      return clamp(q, end ? 0 : k - 1);
    case "ArrowRight":
      return clamp(q, end ? nK - 1 : k + 1);
    case "Home":
      return clamp(end ? 0 : q, 0);
    case "End":
      return clamp(end ? nQ - 1 : q, nK - 1);
    case "PageUp":
      return clamp(q - 10, k);
    case "PageDown":
      return clamp(q + 10, k);
    default:
      return null;
  }
}

export function listenToKeys(
  grid: HTMLElement,
  store: Store,
  state: () => KeyboardState,
  actions: KeyboardActions,
  { listen }: Scope,
): void {
  listen(grid, "keydown", (event) => {
    const command = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    const { cell, anchor } = state();
    const next = step(event, cell, store.nQ, store.nK);
    if (next) actions.move(next, event.shiftKey ? (anchor ?? cell) : null);
    else if (command && letter === "z") event.shiftKey ? store.redo() : store.undo();
    else if (command && letter === "y") store.redo();
    else if (!command && (event.key === " " || event.key === "Enter")) actions.toggle();
    else if (event.key === "Escape") anchor ? actions.move(cell, null) : actions.leave();
    else return;
    // The notebook has shortcuts of its own on the same keys.
    event.preventDefault();
    event.stopPropagation();
  });
}
