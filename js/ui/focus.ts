/** The cell under the pointer, or the cell that was reached by keyboard. Python does not know it. */

import type { Scope } from "./scope";

export type Cell = readonly [query: number, key: number];

export interface Focus {
  readonly cell: Cell | null;
  set(cell: Cell | null): void;
  subscribe(listener: (cell: Cell | null) => void, until: AbortSignal): void;
}

export function createFocus({ guard }: Pick<Scope, "guard">): Focus {
  let cell: Cell | null = null;
  const listeners = new Set<(cell: Cell | null) => void>();
  return {
    get cell() {
      return cell;
    },
    set(next) {
      if (cell === next || (cell && next && cell[0] === next[0] && cell[1] === next[1])) return;
      cell = next;
      for (const listener of [...listeners]) guard(() => listener(cell));
    },
    subscribe(listener, until) {
      listeners.add(listener);
      until.addEventListener("abort", () => listeners.delete(listener));
    },
  };
}
