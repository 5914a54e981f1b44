/** Pointer and keyboard input in a matrix: hover, click, drag a number, type a number. */
import { step } from "../../ui/grid-keys";
import type { Scope } from "../../ui/scope";
import { type Block, TITLE } from "./block";

export type Place = readonly [row: number, col: number];

export interface MatrixActions {
  hover(place: Place | null): void;
  /** The keyboard has moved to a cell. */
  reach(place: Place): void;
  /** A click of the pointer, or Space or Enter (no event). */
  click(place: Place, event: PointerEvent | null): void;
  /** A drag was cancelled: put the number back. */
  cancel(): void;
  /** A number is dragged by this many pixels from the start; null when the pointer is released. */
  drag(place: Place, by: number | null, event: PointerEvent): void;
  /** The user begins to type a number; `firstText` is the key that began, else empty. */
  type(place: Place, firstText: string): void;
  /** The keyboard has left the matrix. */
  blur(): void;
  undo(redo: boolean): void;
  /** Escape was pressed. */
  leave(): void;
}

const ignore = () => {};
/** The actions of a matrix that cannot be changed: the edits do nothing. */
export const READ_ONLY = { cancel: ignore, drag: ignore, type: ignore, blur: ignore } as const;

/** The place of the cells, and the cell that the keyboard has reached. */
export interface MatrixState {
  block: Block | null;
  active: Place;
}

/** A press that moves by more pixels than this is a drag. */
const DRAG = 3;

export function listenToMatrix(
  grid: HTMLElement,
  editable: boolean,
  state: MatrixState,
  actions: MatrixActions,
  { listen }: Scope,
): void {
  let press: { place: Place; x: number; moved: boolean } | null = null;

  function placeAt(event: MouseEvent): Place | null {
    const { block } = state;
    if (!block) return null;
    const box = grid.getBoundingClientRect();
    const c = Math.floor((event.clientX - box.left - block.left) / block.cw);
    const r = Math.floor((event.clientY - box.top - (block.top - TITLE)) / block.ch);
    return r >= 0 && c >= 0 && r < block.rows && c < block.cols ? [r, c] : null;
  }

  listen(grid, "pointermove", (event) => {
    if (!press) {
      const place = placeAt(event);
      grid.style.cursor = place ? (editable ? "ew-resize" : "pointer") : "";
      actions.hover(place);
      return;
    }
    const by = event.clientX - press.x;
    press.moved ||= Math.abs(by) > DRAG;
    if (press.moved && editable) actions.drag(press.place, by, event);
  });
  listen(grid, "pointerleave", () => press || actions.hover(null));
  listen(grid, "pointerdown", (event) => {
    const place = placeAt(event);
    if (!place || event.button !== 0) return;
    grid.setPointerCapture(event.pointerId);
    state.active = place;
    press = { place, x: event.clientX, moved: false };
  });
  const end = (event: PointerEvent) => {
    if (!press) return;
    const { place, moved } = press;
    press = null;
    if (moved && editable) actions.drag(place, null, event);
    else if (!moved) actions.click(place, event);
  };
  /** End the press without a click or an edit: the browser scrolls the page, or Escape was pressed. */
  const abandon = () => {
    if (press?.moved && editable) actions.cancel();
    press = null;
  };
  listen(grid, "pointerup", end);
  listen(grid, "pointercancel", abandon);
  listen(grid, "lostpointercapture", (event) => press && end(event));
  listen(grid, "dblclick", (event) => {
    const place = placeAt(event);
    if (place && editable) actions.type(place, "");
  });
  listen(grid, "focus", () => grid.matches(":focus-visible") && actions.reach(state.active));
  listen(grid, "keydown", (event) => {
    const { block } = state;
    if (event.target !== grid || !block) return;
    const command = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    const next = event.altKey ? null : step(event, state.active, block.rows, block.cols);
    if (next) {
      state.active = next;
      actions.reach(state.active);
    } else if (command && letter === "z") actions.undo(event.shiftKey);
    else if (command && letter === "y") actions.undo(true);
    else if (!command && event.key === "Enter" && editable) actions.type(state.active, "");
    else if (!command && editable && /^[\d.,+−-]$/.test(event.key))
      actions.type(state.active, event.key);
    else if (!command && [" ", "Enter"].includes(event.key)) actions.click(state.active, null);
    else if (event.key === "Escape") press ? abandon() : actions.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  listen(grid, "blur", actions.blur);
}
