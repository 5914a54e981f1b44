/** Pointer input on the map: hover marks a cell, click and drag mask or free cells, a label does so for a row or column. */

import type { Store } from "../../state/store";
import type { Cell } from "../../ui/focus";
import type { Scope } from "../../ui/scope";
import { type Geometry, type Hit, hit, line, nearest } from "./geometry";
import { listenToTouch } from "./touch";
import { labelEdit } from "./words";

export interface PointerActions {
  hover(cell: Cell | null, row: number | null, column: number | null): void;
  select(cell: Cell): void;
  /** A click on a cell that the model masks. */
  locked(cell: Cell): void;
}

export function listenToPointer(
  surface: HTMLElement,
  store: Store,
  geometry: () => Geometry | null,
  actions: PointerActions,
  scope: Scope,
): void {
  const { listen } = scope;
  let stroke: { id: number; masked: boolean; last: Cell } | null = null;

  const at = (event: PointerEvent): [number, number] => {
    const box = surface.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const paint = (cells: Iterable<Cell>) => {
    if (!stroke) return;
    store.paint(
      Array.from(cells, ([q, k]) => q * store.nK + k),
      stroke.masked,
      stroke.id,
    );
  };

  const mark = (target: Hit) => {
    if (target?.kind === "cell") actions.hover([target.query, target.key], null, null);
    else if (target?.kind === "row") actions.hover(null, target.query, null);
    else actions.hover(null, null, target?.kind === "column" ? target.key : null);
  };

  /** Mask or free a row, a column, or a cell and what the pointer moves over until it is lifted. */
  function press(target: NonNullable<Hit>, pointer: number | null) {
    if (target.kind !== "cell") {
      const { nQ, nK } = store;
      const cells =
        target.kind === "row"
          ? Array.from({ length: nK }, (_, k) => target.query * nK + k)
          : Array.from({ length: nQ }, (_, q) => q * nK + target.key);
      const edit = labelEdit(store, cells);
      store.paint(edit.cells, !edit.free, store.stroke());
      return;
    }
    const cell: Cell = [target.query, target.key];
    const flat = target.query * store.nK + target.key;
    if (store.locked?.[flat]) {
      actions.select(cell);
      actions.locked(cell);
      return;
    }
    if (pointer !== null) surface.setPointerCapture(pointer);
    stroke = { id: store.stroke(), masked: !store.mask[flat], last: cell };
    paint([cell]);
  }

  listen(surface, "pointerdown", (event) => {
    if (event.button !== 0) return;
    const g = geometry();
    const target = g && hit(g, ...at(event));
    if (!target) return;
    if (event.pointerType === "touch") return touch.down(event, target);
    touch.forget();
    press(target, event.pointerId);
  });

  listen(surface, "pointermove", (event) => {
    const g = geometry();
    if (!g) return;
    if (stroke) {
      for (const sample of event.getCoalescedEvents?.() ?? [event]) {
        const next = nearest(g, ...at(sample));
        if (next[0] === stroke.last[0] && next[1] === stroke.last[1]) continue;
        paint(line(stroke.last as [number, number], next));
        stroke.last = next;
      }
      actions.hover(stroke.last, null, null);
      return;
    }
    const target = hit(g, ...at(event));
    surface.style.cursor = target ? "pointer" : "default";
    mark(target);
  });

  // Select at the end of the stroke, because the edits of the stroke must reach Python first.
  const end = () => {
    if (stroke) actions.select(stroke.last);
    stroke = null;
  };
  listen(surface, "pointerup", end);
  listen(surface, "pointercancel", end);
  listen(surface, "pointerleave", ({ pointerType }) => {
    // A finger that is lifted has left, too: what it has read stays marked.
    if (!stroke && pointerType !== "touch") actions.hover(null, null, null);
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
      paint: press,
    },
    scope,
  );
}
