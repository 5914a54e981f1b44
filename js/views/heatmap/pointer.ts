/**
 * Pointer input on the map: hover marks a cell, click and drag mask or free cells, a label does so for a row
 * or column. Alt-click, right-click and a long press pin a cell and mask nothing.
 */

import { labelEdit } from "../../card/label";
import type { Store } from "../../state/store";
import type { Cell, Label } from "../../ui/focus";
import type { Scope } from "../../ui/scope";
import { type Geometry, type Hit, hit, line, nearest } from "./geometry";

/** Milliseconds after which a finger that rests on a cell pins the cell. */
const LONG_PRESS = 500;

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

interface Stroke {
  id: number;
  masked: boolean;
  last: Cell;
  /** A finger rests on the first cell: the cell is painted when the finger moves or lifts. */
  isHeld: boolean;
}

const labelOf = (target: Hit): Label | null => {
  if (target?.kind === "row") return { side: "query", index: target.query };
  return target?.kind === "column" ? { side: "key", index: target.key } : null;
};

export function listenToPointer(
  surface: HTMLElement,
  store: Store,
  geometry: () => Geometry | null,
  actions: PointerActions,
  { listen, after }: Scope,
): void {
  let stroke: Stroke | null = null;
  let stopTimer = () => {};

  const at = (event: MouseEvent): [number, number] => {
    const box = surface.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const targetOf = (event: MouseEvent): Hit => {
    const g = geometry();
    return g && hit(g, ...at(event));
  };

  const paint = (cells: Iterable<Cell>) => {
    if (!stroke) return;
    store.paint(
      Array.from(cells, ([q, k]) => q * store.nK + k),
      stroke.masked,
      stroke.id,
    );
  };

  function pin(cell: Cell) {
    stopTimer();
    stroke = null;
    actions.pin(cell);
  }

  listen(surface, "pointerdown", (event) => {
    if (event.button !== 0) return;
    const target = targetOf(event);
    const label = labelOf(target);
    if (label) {
      const edit = labelEdit(store, label);
      store.paint(edit.cells, !edit.free, store.stroke());
      return;
    }
    if (target?.kind !== "cell") return;
    const cell: Cell = [target.query, target.key];
    if (event.altKey) {
      pin(cell);
      return;
    }
    const flat = target.query * store.nK + target.key;
    const isHeld = event.pointerType === "touch";
    if (isHeld) stopTimer = after(LONG_PRESS, () => pin(cell));
    if (store.locked?.[flat]) {
      actions.select(cell);
      actions.locked(cell);
      return;
    }
    surface.setPointerCapture(event.pointerId);
    stroke = { id: store.stroke(), masked: !store.mask[flat], last: cell, isHeld };
    if (!isHeld) paint([cell]);
  });

  listen(surface, "contextmenu", (event) => {
    const target = targetOf(event);
    if (target?.kind !== "cell") return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has a menu of its own
    // A finger's long press has been pinned by the timer in some browsers.
    if ((event as PointerEvent).pointerType !== "touch" || stroke) pin([target.query, target.key]);
  });

  listen(surface, "pointermove", (event) => {
    const g = geometry();
    if (!g) return;
    if (stroke) {
      for (const sample of event.getCoalescedEvents?.() ?? [event]) {
        const next = nearest(g, ...at(sample));
        if (next[0] === stroke.last[0] && next[1] === stroke.last[1]) continue;
        stopTimer();
        stroke.isHeld = false;
        paint(line(stroke.last as [number, number], next));
        stroke.last = next;
      }
      actions.hover(stroke.last);
      return;
    }
    const target = hit(g, ...at(event));
    const label = labelOf(target);
    surface.style.cursor = target ? "pointer" : "default";
    if (target?.kind === "cell") actions.hover([target.query, target.key]);
    else if (label) actions.point(label);
    else actions.leave();
  });

  // Select at the end of the stroke, because the edits of the stroke must reach Python first.
  const end = () => {
    stopTimer();
    if (stroke?.isHeld) paint([stroke.last]);
    if (stroke) actions.select(stroke.last);
    stroke = null;
  };
  listen(surface, "pointerup", end);
  listen(surface, "pointercancel", () => {
    if (stroke) stroke.isHeld = false;
    end();
  });
  listen(surface, "pointerleave", () => stroke || actions.leave());
}
