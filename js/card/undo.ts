/** Undo, redo and clear: buttons in every view, and keys that work from every element of the card. */
import type { Store } from "../state/store";
import { disable, iconButton } from "../ui/button";
import { h } from "../ui/dom";
import type { Scope } from "../ui/scope";

const LABELS = {
  undo: "undo (Ctrl+Z)",
  redo: "redo (Ctrl+Shift+Z)",
  clear: "clear the mask",
} as const;

export function createUndoButtons(store: Store, scope: Scope) {
  const undo = iconButton("undo", LABELS.undo, store.undo, scope);
  const redo = iconButton("redo", LABELS.redo, store.redo, scope);
  const clear = iconButton("clear", LABELS.clear, store.clear, scope);
  return {
    element: h("div", { class: "aw-history" }, undo, redo, clear),
    /** `reason` says why the view cannot show what the buttons do; "" if the view can. */
    update(reason: string) {
      disable(undo, reason !== "" || !store.canUndo, reason || LABELS.undo);
      disable(redo, reason !== "" || !store.canRedo, reason || LABELS.redo);
      disable(clear, reason !== "" || !store.canClear, reason || LABELS.clear);
    },
  };
}

/** Undo and redo by keyboard. The host does not see the keys, because its undo would change the code of the cell. */
export function listenToUndo(root: HTMLElement, store: Store, { listen }: Scope): void {
  listen(
    root,
    "keydown",
    (event) => {
      const move = moveOf(event);
      if (!move) return;
      event.stopPropagation();
      // A text that is not sent yet has the browser's own undo.
      if (hasUnsentText(event.target)) return;
      event.preventDefault();
      store[move]();
    },
    { capture: true },
  );
}

function moveOf({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyboardEvent) {
  if (altKey || !(ctrlKey || metaKey)) return null;
  const letter = key.toLowerCase();
  if (letter === "z") return shiftKey ? "redo" : "undo";
  return letter === "y" && !shiftKey ? "redo" : null;
}

function hasUnsentText(target: EventTarget | null): boolean {
  return (target as HTMLElement | null)?.dataset?.unsent === "true";
}
