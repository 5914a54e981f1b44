/**
 * Pointer input on the map: hover marks a cell, click and drag mask or free cells, a label does so for a row
 * or column. Alt-click, right-click and a finger that rests pin a cell and mask nothing.
 */

import { labelEdit } from "../../card/label";
import type { Store } from "../../state/store";
import type { Cell, Label } from "../../ui/focus";
import type { Scope } from "../../ui/scope";
import { type Geometry, type Hit, hit, line, nearest } from "./geometry";
import { listenToTouch } from "./touch";

export interface PointerActions {
  hover(cell: Cell): void;
  /** The pointer is over a label. */
  point(label: Label): void;
  /** The pointer is over no cell and no label. */
  leave(): void;
  /** Explain a cell until it is unpinned; a pinned cell is unpinned. */
  pin(cell: Cell): void;
  select(cell: Cell): void;
  /** A click on a cell that the model masks. */
  locked(cell: Cell): void;
}

const labelOf = (target: Hit): Label | null => {
  if (target?.kind === "row") return { side: "query", index: target.query };
  return target?.kind === "column" ? { side: "key", index: target.key } : null;
};

/** The cells that a pointer paints from press to lift: all become as the first cell becomes. */
function createStroke(store: Store) {
  let current: { id: number; masked: boolean; last: Cell } | null = null;
  const paint = (cells: readonly Cell[]) => {
    if (!current) return;
    const list = cells.map(([q, k]) => q * store.nK + k);
    store.paint(list, current.masked, current.id);
  };
  return {
    get last(): Cell | null {
      return current?.last ?? null;
    },
    begin(cell: Cell) {
      const masked = !store.mask[cell[0] * store.nK + cell[1]];
      current = { id: store.stroke(), masked, last: cell };
      paint([cell]);
    },
    extend(next: Cell) {
      if (!current || (next[0] === current.last[0] && next[1] === current.last[1])) return;
      paint([...line(current.last as [number, number], next as [number, number])]);
      current.last = next;
    },
    end() {
      current = null;
    },
  };
}

export function listenToPointer(
  surface: HTMLElement,
  store: Store,
  geometry: () => Geometry | null,
  actions: PointerActions,
  scope: Scope,
): void {
  const { listen } = scope;
  const stroke = createStroke(store);

  const at = (event: MouseEvent): [number, number] => {
    const box = surface.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const targetOf = (event: MouseEvent): Hit => {
    const g = geometry();
    return g && hit(g, ...at(event));
  };

  const mark = (target: Hit) => {
    const label = labelOf(target);
    if (target?.kind === "cell") actions.hover([target.query, target.key]);
    else if (label) actions.point(label);
    else actions.leave();
  };

  /** Mask or free a row, a column, or a cell and the cells that the pointer moves over until it is lifted. */
  function press(target: NonNullable<Hit>, pointer: number | null) {
    const label = labelOf(target);
    if (label) {
      const edit = labelEdit(store, label);
      store.paint(edit.cells, !edit.free, store.stroke());
    }
    if (target.kind !== "cell") return;
    const cell: Cell = [target.query, target.key];
    const flat = target.query * store.nK + target.key;
    if (store.locked?.[flat]) {
      actions.select(cell);
      actions.locked(cell);
      return;
    }
    if (pointer !== null) surface.setPointerCapture(pointer);
    stroke.begin(cell);
  }

  listen(surface, "pointerdown", (event) => {
    if (event.button !== 0) return;
    const target = targetOf(event);
    if (!target) return;
    if (event.pointerType === "touch") return touch.down(event, target);
    touch.forget();
    if (event.altKey && target.kind === "cell") actions.pin([target.query, target.key]);
    else press(target, event.pointerId);
  });

  listen(surface, "contextmenu", (event) => {
    const target = targetOf(event);
    if (target?.kind !== "cell") return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has a menu of its own
    // Some browsers open a menu under a finger that rests, which pins the cell by itself.
    if ((event as PointerEvent).pointerType === "touch") return;
    stroke.end();
    actions.pin([target.query, target.key]);
  });

  listen(surface, "pointermove", (event) => {
    const g = geometry();
    if (!g) return;
    if (stroke.last) {
      for (const sample of event.getCoalescedEvents?.() ?? [event]) {
        stroke.extend(nearest(g, ...at(sample)));
      }
      actions.hover(stroke.last);
      return;
    }
    const target = hit(g, ...at(event));
    surface.style.cursor = target ? "pointer" : "default";
    mark(target);
  });

  // Select at the end of the stroke, because the edits of the stroke must reach Python first.
  const end = () => {
    const { last } = stroke;
    stroke.end();
    if (last) actions.select(last);
  };
  listen(surface, "pointerup", end);
  listen(surface, "pointercancel", end);
  listen(surface, "pointerleave", ({ pointerType }) => {
    // A finger that is lifted has left, too: the cell that it has read stays marked.
    if (!stroke.last && pointerType !== "touch") actions.leave();
  });

  const touch = listenToTouch(
    surface,
    {
      read(target) {
        mark(target);
        if (target.kind === "cell") actions.select([target.query, target.key]);
      },
      act(target) {
        press(target, null);
        end();
      },
      hold(target) {
        mark(target);
        if (target.kind === "cell") actions.pin([target.query, target.key]);
      },
      paint: press,
    },
    scope,
  );
}
