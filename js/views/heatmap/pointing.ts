/** What the pointer marks in the map: the cell or the label under the pointer, and a pinned cell. */
import { labelWords } from "../../card/label";
import { describe } from "../../explain/cell";
import type { Store } from "../../state/store";
import type { Cell, Focus } from "../../ui/focus";
import type { Marks } from "./marks";
import type { PointerActions } from "./pointer";
import type { Surface } from "./surface";

interface Parts {
  /** Mark the cell that was reached by keyboard or is selected. */
  rest(): void;
  show(): void;
  say(words: string): void;
  select(cell: Cell): void;
}

export function createPointing(
  store: Store,
  surface: Surface,
  marks: Marks,
  focus: Focus,
  { rest, show, say, select }: Parts,
): PointerActions {
  return {
    hover(cell) {
      marks.cell = cell;
      marks.pointed = true;
      marks.row = marks.column = null;
      focus.point(null);
      focus.set(cell);
      surface.over.title = "";
      show();
    },
    point(label) {
      marks.cell = null;
      marks.pointed = true;
      marks.row = label.side === "query" ? label.index : null;
      marks.column = label.side === "key" ? label.index : null;
      focus.point(label);
      surface.over.title = labelWords(store, label);
      show();
    },
    /** The mark stays on the last cell, because the panel still explains the cell. */
    leave() {
      marks.pointed = false;
      focus.point(null);
      const { last } = focus;
      if (!last || last[0] >= store.nQ || last[1] >= store.nK) {
        rest();
        return;
      }
      marks.cell = last;
      marks.row = marks.column = null;
      show();
    },
    pin(cell) {
      const { cell: pinned, isPinned } = focus;
      const isSame = isPinned && pinned?.[0] === cell[0] && pinned[1] === cell[1];
      focus.pin(isSame ? null : cell);
      if (!isSame) say(describe(store, cell));
    },
    select,
    locked: (cell) => say(describe(store, cell)),
  };
}
