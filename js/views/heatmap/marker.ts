/** The marked cell (under the pointer, reached by keyboard, or selected) and the description of the cell. */
import { isLocked, isVoid, toggleCells } from "../../card/edits";
import { describe, opening } from "../../explain/cell";
import type { Change, Store } from "../../state/store";
import { text } from "../../ui/dom";
import type { Cell, Focus } from "../../ui/focus";
import { giveFocusBack } from "../../ui/leave";
import type { KeyboardActions } from "./keyboard";
import type { Marks } from "./marks";
import { createPointing } from "./pointing";
import type { Surface } from "./surface";

export function createMarker(
  store: Store,
  surface: Surface,
  marks: Marks,
  readout: HTMLElement,
  focus: Focus,
  show: () => void,
) {
  /** The cell that the keyboard has reached. */
  let active: Cell = store.get("selection") ?? opening(store);
  /** The corner where a range that is marked with Shift and the arrows began. */
  let anchor: Cell | null = null;

  const isInside = (cell: Cell) => cell[0] < store.nQ && cell[1] < store.nK;
  const say = (words: string) => text(readout, words);

  function activate(cell: Cell): string {
    active = [Math.min(cell[0], store.nQ - 1), Math.min(cell[1], store.nK - 1)];
    const words = describe(store, active);
    showActive(surface, active, words, isLocked(store, active));
    return words;
  }

  /** Mark the cell reached by keyboard, else the selected cell, because no cell is under the pointer. */
  function markRestingCell() {
    const selection = store.get("selection");
    const selected = selection && isInside(selection) ? selection : opening(store);
    marks.cell = marks.keyboard && isInside(active) ? active : selected;
    marks.row = marks.column = null;
    focus.set(marks.cell);
    show();
  }

  const pointer = createPointing(store, surface, marks, focus, {
    rest: markRestingCell,
    show,
    say,
    select(cell) {
      anchor = marks.range = null;
      marks.keyboard = false;
      focus.pin(null);
      say(activate(cell));
      store.set("selection", [cell[0], cell[1]]);
    },
  });

  const keyboard: KeyboardActions = {
    move(cell, corner) {
      anchor = corner;
      marks.keyboard = true;
      marks.range = anchor ? [anchor, cell] : null;
      marks.row = marks.column = null;
      marks.cell = cell;
      say(activate(cell));
      focus.pin(null);
      focus.set(cell);
      show();
    },
    toggle() {
      if (!anchor && isVoid(store, active)) return;
      toggleCells(store, cellsBetween(anchor ?? active, active), active);
      say(activate(active));
    },
    leave() {
      if (focus.isPinned) focus.pin(null);
      else giveFocusBack(surface.map);
    },
    release() {
      // Python gets the selection when the keys are released, not at every step.
      const selection = store.get("selection");
      if (selection?.[0] === active[0] && selection[1] === active[1]) return;
      if (marks.keyboard) store.set("selection", [active[0], active[1]]);
    },
    focus() {
      marks.keyboard = true;
      say(activate(active));
      markRestingCell();
    },
    blur() {
      marks.keyboard = false;
      anchor = marks.range = null;
      // The panel goes on explaining its cell, because its button takes the focus.
      show();
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
        if (selection && isInside(selection)) active = selection;
        markRestingCell();
      }
      if (all) {
        anchor = marks.range = null;
        marks.row = marks.column = null;
        focus.point(null);
        if (focus.cell && !isInside(focus.cell)) focus.pin(null);
        if (!marks.cell || !isInside(marks.cell)) markRestingCell();
      }
      const isOther = ["selection", "quantity", "report", "difference", "aim", "knockouts"].some(
        (name) => names.has(name),
      );
      if (all || rows.size || isOther) activate(active);
      show();
    },
    open() {
      activate(active);
      markRestingCell();
    },
  };
}

/** Tell screen readers and programs about the active cell. */
function showActive({ map, row, gridcell }: Surface, [q, k]: Cell, words: string, locked: boolean) {
  row.setAttribute("aria-rowindex", String(q + 1));
  gridcell.setAttribute("aria-colindex", String(k + 1));
  gridcell.setAttribute("aria-readonly", String(locked));
  gridcell.setAttribute("aria-label", words);
  map.dataset.active = `${q},${k}`;
}

/** Every cell of the rectangle between two corners. */
function cellsBetween([q0, k0]: Cell, [q1, k1]: Cell): Cell[] {
  const cells: Cell[] = [];
  for (let q = Math.min(q0, q1); q <= Math.max(q0, q1); q++) {
    for (let k = Math.min(k0, k1); k <= Math.max(k0, k1); k++) cells.push([q, k]);
  }
  return cells;
}
