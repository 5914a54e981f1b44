/** Which cell is marked, by pointer, by keyboard or as the selection, and what is said of it. */
import { describe, opening } from "../../explain/cell";
import type { Change, Store } from "../../state/store";
import { text } from "../../ui/dom";
import type { Cell, Focus } from "../../ui/focus";
import { giveFocusBack } from "../../ui/leave";
import type { KeyboardActions } from "./keyboard";
import type { Marks } from "./overlay";
import type { PointerActions } from "./pointer";
import type { Surface } from "./surface";
import { labelTitle } from "./words";

export function createMarker(
  store: Store,
  { map, over, row, gridcell }: Surface,
  marks: Marks,
  readout: HTMLElement,
  focus: Focus,
  show: () => void,
) {
  /** The cell that the keyboard is at, and the other corner of what Shift and the arrows have marked. */
  let active: Cell = store.get("selection") ?? opening(store);
  let anchor: Cell | null = null;

  const inside = (cell: Cell) => cell[0] < store.nQ && cell[1] < store.nK;
  const say = (words: string) => text(readout, words);

  function activate(cell: Cell): string {
    active = [Math.min(cell[0], store.nQ - 1), Math.min(cell[1], store.nK - 1)];
    const [q, k] = active;
    row.setAttribute("aria-rowindex", String(q + 1));
    gridcell.setAttribute("aria-colindex", String(k + 1));
    gridcell.setAttribute("aria-readonly", String(Boolean(store.locked?.[q * store.nK + k])));
    const words = describe(store, active);
    gridcell.setAttribute("aria-label", words);
    map.dataset.active = active.join();
    return words;
  }

  /** Nothing is under the pointer: mark the cell reached by keyboard, or the selected cell. */
  function rest() {
    const selection = store.get("selection");
    const selected = selection && inside(selection) ? selection : opening(store);
    marks.cell = marks.keyboard && inside(active) ? active : selected;
    marks.row = marks.column = null;
    focus.set(marks.cell);
    show();
  }

  const pointer: PointerActions = {
    hover(cell, hoveredRow, column) {
      if (!cell && hoveredRow === null && column === null) {
        rest();
        return;
      }
      marks.cell = cell;
      marks.row = hoveredRow;
      marks.column = column;
      focus.set(cell);
      over.title = labelTitle(store, hoveredRow, column);
      show();
    },
    select(cell) {
      anchor = marks.range = null;
      marks.keyboard = false;
      say(activate(cell));
      store.set("selection", [cell[0], cell[1]]);
    },
    locked: (cell) => say(describe(store, cell)),
  };

  const keyboard: KeyboardActions = {
    move(cell, from) {
      anchor = from;
      marks.keyboard = true;
      marks.range = anchor ? [anchor, cell] : null;
      marks.row = marks.column = null;
      marks.cell = cell;
      say(activate(cell));
      focus.set(cell);
      show();
    },
    toggle() {
      const cells = between(anchor ?? active, active, store.nK);
      store.paint(cells, !store.mask[active[0] * store.nK + active[1]], store.stroke());
      say(activate(active));
    },
    leave: () => giveFocusBack(map),
    release() {
      // The selection that Python reads follows when the keys are let go, not at every step.
      const selection = store.get("selection");
      if (selection?.[0] === active[0] && selection[1] === active[1]) return;
      if (marks.keyboard) store.set("selection", [active[0], active[1]]);
    },
    focus() {
      marks.keyboard = true;
      say(activate(active));
      rest();
    },
    blur() {
      marks.keyboard = false;
      anchor = marks.range = null;
      rest();
    },
  };

  return {
    pointer,
    keyboard,
    get place() {
      return { cell: active, anchor };
    },
    update({ all, rows, names }: Change) {
      if (names.has("selection")) {
        const selection = store.get("selection");
        if (selection && inside(selection)) active = selection;
        rest();
      }
      if (all) {
        anchor = marks.range = null;
        marks.row = marks.column = null;
        if (!marks.cell || !inside(marks.cell)) rest();
      }
      if (all || rows.size || names.has("quantity")) activate(active);
      show();
    },
    open() {
      activate(active);
      rest();
    },
  };
}

/** Every cell of the rectangle between two corners, as flat indices. */
function between([q0, k0]: Cell, [q1, k1]: Cell, nK: number): number[] {
  const cells: number[] = [];
  for (let q = Math.min(q0, q1); q <= Math.max(q0, q1); q++) {
    for (let k = Math.min(k0, k1); k <= Math.max(k0, k1); k++) cells.push(q * nK + k);
  }
  return cells;
}
