/** Keyboard input in the map, which is an ARIA grid. */

import type { Store } from "../../state/store";
import type { Cell } from "../../ui/focus";
import { step } from "../../ui/grid-keys";
import type { Scope } from "../../ui/scope";

export interface KeyboardState {
  cell: Cell;
  anchor: Cell | null;
}

export interface KeyboardActions {
  move(cell: Cell, anchor: Cell | null): void;
  toggle(): void;
  /** Escape was pressed. */
  leave(): void;
  /** A key was released. */
  release(): void;
  /** The grid has got the focus by keyboard. */
  focus(): void;
  /** The grid has lost the focus. */
  blur(): void;
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
    const { cell, anchor } = state();
    const next = step(event, cell, store.nQ, store.nK);
    if (next) actions.move(next, event.shiftKey ? (anchor ?? cell) : null);
    else if (!command && (event.key === " " || event.key === "Enter")) actions.toggle();
    else if (event.key === "Escape") anchor ? actions.move(cell, null) : actions.leave();
    else return;
    // The notebook has shortcuts on the same keys.
    event.preventDefault();
    event.stopPropagation();
  });
  listen(grid, "keyup", actions.release);
  listen(grid, "focus", () => grid.matches(":focus-visible") && actions.focus());
  listen(grid, "blur", actions.blur);
}
