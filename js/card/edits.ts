/** The edits that a hand makes on the map: knock-outs of the running model, or masks on the map alone. */
import type { Store } from "../state/store";
import type { Cell } from "../ui/focus";

/** Whether an edit takes a cell out, or puts it back. */
const isToBeOut = (store: Store, [q, k]: Cell): boolean =>
  store.knocks ? store.knockOutAt([q, k]).add.length > 0 : !store.mask[q * store.nK + k];

/** Edit cells; the effect of a knock-out is read where `last` has it. */
function edit(
  store: Store,
  cells: readonly Cell[],
  out: boolean,
  stroke: number,
  last: Cell,
): void {
  if (store.knocks) {
    store.knockOut(cells, out, stroke, out ? effectPosition(store, last) : null);
  } else {
    const list = cells.map(([q, k]) => q * store.nK + k);
    store.paint(list, out, stroke);
  }
}

/** Edit cells as `first` has to be edited: they are knocked out or masked, or put back. */
export function toggleCells(store: Store, cells: readonly Cell[], first: Cell): void {
  edit(store, cells, isToBeOut(store, first), store.stroke(), first);
}

/** Cells that are edited from press to lift: all become as the first cell becomes, and undo together. */
export function createStroke(store: Store) {
  let current: { id: number; out: boolean; last: Cell } | null = null;
  return {
    get last(): Cell | null {
      return current?.last ?? null;
    },
    begin(cell: Cell) {
      const out = isToBeOut(store, cell);
      current = { id: store.stroke(), out, last: cell };
      edit(store, [cell], out, current.id, cell);
    },
    extend(cells: readonly Cell[]) {
      if (!current || !cells.length) return;
      current.last = cells[cells.length - 1];
      edit(store, cells, current.out, current.id, current.last);
    },
    end() {
      current = null;
    },
  };
}

/** Whether the model itself masks a cell, and no knock-out does. */
export function isLocked(store: Store, [q, k]: Cell): boolean {
  return Boolean(store.locked?.[q * store.nK + k]) && !isKnockedOut(store, [q, k]);
}

/** Whether a cell of the map is taken out of the running model. */
export const isKnockedOut = (store: Store, [q, k]: Cell): boolean =>
  store.knocks && store.knockedOut(q, k) !== undefined;

/** Whether a click on a cell has nothing to do: the model gives the edge no weight. */
export const isVoid = (store: Store, cell: Cell): boolean =>
  isLocked(store, cell) && (!store.knocks || store.aim.where === "edge");

/** Where the effect appears first: at the query of the edge, in a model that reads from left to right; else null. */
function effectPosition(store: Store, [q]: Cell): number | null {
  const isSquare = store.nQ === store.nK;
  const isCausal = isSquare && Boolean(store.locked?.[store.nK - 1]);
  const isRow = ["edge", "query"].includes(store.aim.where);
  const { stack } = store.shown;
  const isText = stack.startsWith("self") || stack.startsWith("decoder");
  return isCausal && isRow && isText ? q : null;
}
