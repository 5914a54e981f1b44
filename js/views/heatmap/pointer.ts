/**
 * Pointer input on the map: hover marks a cell, click and drag mask or free cells, a label does so for a row
 * or column. Alt-click, right-click and a finger that rests pin a cell and mask nothing.
 */

import { createStroke, isVoid } from "../../card/edits";
import { actOnLabel } from "../../card/label";
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
    if (label) actOnLabel(store, label);
    if (target.kind !== "cell") return;
    const cell: Cell = [target.query, target.key];
    if (isVoid(store, cell)) {
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
        const [next, last] = [nearest(g, ...at(sample)), stroke.last as [number, number]];
        if (next[0] !== last[0] || next[1] !== last[1]) stroke.extend(line(last, next));
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
    if (!last) return;
    actions.select(last);
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
