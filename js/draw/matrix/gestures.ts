/** Pointer and keyboard input in a matrix: hover, click, drag a number, type a number. */
import { step } from "../../ui/grid-keys";
import type { Scope } from "../../ui/scope";
import { type Block, TITLE } from "./block";
import { passGap } from "./slots";

export type Place = readonly [row: number, col: number];

export interface MatrixActions {
  hover(place: Place | null): void;
  /** The keyboard has moved to a cell. */
  reach(place: Place): void;
  /** A click of the pointer, or Space or Enter (no event). */
  click(place: Place, event: PointerEvent | null): void;
  /** Draw the rows, or the columns, that are left out; leave them out again where they are drawn. */
  open?(isRows: boolean, isCols: boolean): void;
  /** A drag was cancelled: put the number back. */
  cancel(): void;
  /** A number is dragged by this many pixels from the start; null when the pointer is released. */
  drag(place: Place, by: number | null, event: PointerEvent): void;
  /** The user begins to type a number; `firstText` is the key that began, else empty. */
  type(place: Place, firstText: string): void;
  /** The keyboard has left the matrix. */
  blur(): void;
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

  /** The row and the column under the pointer; null at a gap. */
  function under(event: MouseEvent): readonly [number | null, number | null] | null {
    const { block } = state;
    if (!block) return null;
    const box = grid.getBoundingClientRect();
    const c = Math.floor((event.clientX - box.left - block.left) / block.cw);
    const r = Math.floor((event.clientY - box.top - (block.top - TITLE)) / block.ch);
    const [row, col] = [block.rowSlots.indices[r], block.colSlots.indices[c]];
    return row === undefined || col === undefined ? null : [row, col];
  }

  function placeAt(event: MouseEvent): Place | null {
    const at = under(event);
    return at && at[0] !== null && at[1] !== null ? [at[0], at[1]] : null;
  }

  listen(grid, "pointermove", (event) => {
    if (!press) {
      const place = placeAt(event);
      const isGap = !place && under(event) !== null;
      grid.style.cursor = place && editable ? "ew-resize" : place || isGap ? "pointer" : "";
      grid.title = isGap ? "click to open what is left out" : "";
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
  listen(grid, "click", (event) => {
    const at = under(event);
    if (at?.includes(null)) actions.open?.(at[0] === null, at[1] === null);
  });
  listen(grid, "dblclick", (event) => {
    const place = placeAt(event);
    if (place && editable) actions.type(place, "");
  });
  listen(grid, "focus", () => grid.matches(":focus-visible") && actions.reach(state.active));
  listen(grid, "keydown", (event) => {
    const { block } = state;
    if (event.target !== grid || !block) return;
    const command = event.ctrlKey || event.metaKey;
    const { rowSlots, colSlots } = block;
    const [r, c] = [rowSlots.placeOf(state.active[0]), colSlots.placeOf(state.active[1])];
    const [height, width] = [rowSlots.indices.length, colSlots.indices.length];
    const next = event.altKey ? null : step(event, [r, c], height, width);
    if (next) {
      state.active = [passGap(rowSlots, r, next[0]), passGap(colSlots, c, next[1])];
      actions.reach(state.active);
    } else if (!command && event.key === "Enter" && editable) actions.type(state.active, "");
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
