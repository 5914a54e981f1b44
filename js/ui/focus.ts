/** What the panel explains: the cell under the pointer or reached by keyboard, a pinned cell, or a label. Python does not know it. */

import type { Scope } from "./scope";

export type Cell = readonly [query: number, key: number];

/** A label of the map: the token of a row or of a column. */
export interface Label {
  readonly side: "query" | "key";
  readonly index: number;
}

export interface Focus {
  /** The pinned cell, else the last cell that was set. */
  readonly cell: Cell | null;
  /** The last cell that was set, also while another cell is pinned. */
  readonly last: Cell | null;
  /** The cell stays while other cells are set. */
  readonly isPinned: boolean;
  /** The label under the pointer. */
  readonly label: Label | null;
  /** Explain a cell, unless another cell is pinned. */
  set(cell: Cell): void;
  /** Explain a cell until it is unpinned with null. */
  pin(cell: Cell | null): void;
  point(label: Label | null): void;
  subscribe(listener: (cell: Cell | null) => void, until: AbortSignal): void;
}

const isSame = (a: Cell | null, b: Cell | null) =>
  a === b || (a !== null && b !== null && a[0] === b[0] && a[1] === b[1]);

export function createFocus({ guard }: Pick<Scope, "guard">): Focus {
  let last: Cell | null = null;
  let pinned: Cell | null = null;
  let label: Label | null = null;
  const listeners = new Set<(cell: Cell | null) => void>();
  const tell = () => {
    for (const listener of [...listeners]) guard(() => listener(pinned ?? last));
  };
  return {
    get cell() {
      return pinned ?? last;
    },
    get last() {
      return last;
    },
    get isPinned() {
      return pinned !== null;
    },
    get label() {
      return label;
    },
    set(next) {
      if (isSame(last, next)) return;
      last = next;
      if (!pinned) tell();
    },
    pin(next) {
      if (isSame(pinned, next)) return;
      pinned = next;
      tell();
    },
    point(next) {
      if (label?.side === next?.side && label?.index === next?.index) return;
      label = next;
      tell();
    },
    subscribe(listener, until) {
      listeners.add(listener);
      until.addEventListener("abort", () => listeners.delete(listener));
    },
  };
}
