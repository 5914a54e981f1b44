/** One matrix of the flow: a canvas of cells, an ARIA grid that stands for them, a box to type in. */

import { h, text } from "../../ui/dom";
import { step } from "../../ui/grid-keys";
import type { Scope } from "../../ui/scope";
import type { Palette } from "../palette";
import { type Block, TITLE } from "./block";
import { type Look, paintBlock, type Scratch } from "./paint";

export type Place = readonly [row: number, col: number];

export interface MatrixActions {
  hover(place: Place | null): void;
  /** Reached by keyboard. */
  reach(place: Place): void;
  /** By pointer, or by keyboard (no event). */
  click(place: Place, event: PointerEvent | null): void;
  /** A drag was broken off: the number goes back to what it was. */
  cancel(): void;
  /** A number is dragged by this many pixels; null where it is let go. */
  drag(place: Place, by: number | null, event: PointerEvent): void;
  /** A number is to be typed, beginning with this text where a key began it. */
  type(place: Place, begin: string): void;
  undo(redo: boolean): void;
  leave(): void;
}

export interface Texts {
  title: string;
  shape: string;
  note: string;
  /** Whether a number was set by hand. */
  hand: boolean;
  /** The mistake that made these numbers; empty where they are right. */
  mistake: string;
}

export interface Lit {
  rows: number[];
  cols: number[];
  cells: Place[];
}

const DRAG = 3;

export function createMatrix(
  name: string,
  editable: boolean,
  actions: MatrixActions,
  { listen, guarded }: Scope,
) {
  const id = `aw-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const title = h("b", {});
  const shape = h("span", { class: "aw-shape" });
  const byHand = h("span", { class: "aw-by-hand" }, "by hand");
  const mistake = h("span", { class: "aw-mistaken", hidden: true });
  const note = h("p", { class: "aw-note" });
  const canvas = h("canvas", {});
  const lits = h("div", { class: "aw-lits" });
  const gridcell = h("div", { role: "gridcell", id });
  const said = h("div", { role: "row", class: "aw-gridrow" }, gridcell);
  const grid = h(
    "div",
    { class: "aw-grid", role: "grid", tabindex: 0, "aria-activedescendant": id },
    canvas,
    lits,
    said,
  );
  if (editable) grid.dataset.editable = "true";
  const element = h("section", { class: "aw-matrix", "data-name": name });
  element.append(h("h4", {}, title, shape, byHand, mistake), note, grid);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const scratch: Scratch = { canvas: h("canvas", {}), image: null };
  let block: Block | null = null;
  let active: Place = [0, 0];
  let press: { place: Place; x: number; moved: boolean } | null = null;

  const clamp = ([r, c]: Place): Place =>
    block ? [Math.min(r, block.rows - 1), Math.min(c, block.cols - 1)] : [0, 0];

  function placeAt(event: PointerEvent): Place | null {
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
    active = place;
    press = { place, x: event.clientX, moved: false };
  });
  const end = (event: PointerEvent) => {
    if (!press) return;
    const { place, moved } = press;
    press = null;
    if (moved && editable) actions.drag(place, null, event);
    else if (!moved) actions.click(place, event);
  };
  /** The page scrolls instead, or Escape was pressed: nothing was meant. */
  const breakOff = () => {
    if (press?.moved && editable) actions.cancel();
    press = null;
  };
  listen(grid, "pointerup", end);
  listen(grid, "pointercancel", breakOff);
  listen(grid, "lostpointercapture", (event) => press && end(event));
  listen(grid, "dblclick", (event) => {
    const place = placeAt(event as unknown as PointerEvent);
    if (place && editable) actions.type(place, "");
  });
  listen(grid, "focus", () => grid.matches(":focus-visible") && actions.reach(active));
  listen(grid, "keydown", (event) => {
    if (event.target !== grid || !block) return;
    const command = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    const next = event.altKey ? null : step(event, [...active], block.rows, block.cols);
    if (next) {
      active = next;
      actions.reach(active);
    } else if (command && letter === "z") actions.undo(event.shiftKey);
    else if (command && letter === "y") actions.undo(true);
    else if (!command && event.key === "Enter" && editable) actions.type(active, "");
    else if (!command && editable && /^[\d.,+−-]$/.test(event.key)) actions.type(active, event.key);
    else if (!command && [" ", "Enter"].includes(event.key)) actions.click(active, null);
    else if (event.key === "Escape") press ? breakOff() : actions.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    element,
    grid,
    get block() {
      return block;
    },
    get active() {
      return clamp(active);
    },
    activate(place: Place) {
      active = place;
    },
    describe(label: string, texts: Texts) {
      grid.setAttribute("aria-label", label);
      text(title, texts.title);
      text(shape, texts.shape);
      text(note, texts.note);
      byHand.hidden = !texts.hand;
      mistake.hidden = !texts.mistake;
      text(mistake, texts.mistake);
    },
    say(what: string) {
      const [r, c] = clamp(active);
      said.setAttribute("aria-rowindex", String(r + 1));
      gridcell.setAttribute("aria-colindex", String(c + 1));
      gridcell.setAttribute("aria-label", what);
    },
    place(next: Block) {
      block = next;
      const dpr = devicePixelRatio || 1;
      const [width, height] = [next.width + 2, next.height - TITLE + 2];
      element.style.left = `${next.x}px`;
      element.style.top = `${next.y}px`;
      element.style.width = `${next.width}px`;
      canvas.width = Math.ceil(width * dpr);
      canvas.height = Math.ceil(height * dpr);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      grid.style.width = `${next.width}px`;
      grid.style.height = `${height}px`;
      context.setTransform(dpr, 0, 0, dpr, 0, 0);
      grid.setAttribute("aria-rowcount", String(next.rows));
      grid.setAttribute("aria-colcount", String(next.cols));
      Object.assign(grid.dataset, {
        left: next.left,
        top: next.top - TITLE,
        cw: next.cw,
        ch: next.ch,
        rows: next.rows,
        cols: next.cols,
      });
    },
    paint(look: Look, colors: Palette) {
      if (block) paintBlock(context, block, look, colors, TITLE, scratch);
    },
    light({ rows, cols, cells }: Lit, keyboard: boolean) {
      if (!block) return;
      const { left, cw, ch } = block;
      const top = block.top - TITLE;
      const outline = (kind: string, x: number, y: number, w: number, height: number) => {
        const box = h("i", { class: `aw-lit aw-lit-${kind}` });
        box.style.left = `${left + x - 1}px`;
        box.style.top = `${top + y - 1}px`;
        box.style.width = `${w + 1}px`;
        box.style.height = `${height + 1}px`;
        return box;
      };
      lits.replaceChildren(
        ...rows.map((r) => outline("line", 0, r * ch, block!.cols * cw, ch)),
        ...cols.map((c) => outline("line", c * cw, 0, cw, block!.rows * ch)),
        ...cells.map(([r, c]) => outline(keyboard ? "key" : "cell", c * cw, r * ch, cw, ch)),
      );
    },
    /** A box over a cell; `done` gets what was typed, null where it was taken back. */
    edit(place: Place, begin: string, options: EditOptions) {
      if (!block) return;
      const { left, cw, ch } = block;
      const input = h("input", { class: "aw-edit", type: "text", inputmode: "decimal" });
      input.setAttribute("aria-label", options.label);
      input.value = begin;
      input.style.left = `${left + place[1] * cw + cw / 2}px`;
      input.style.top = `${block.top - TITLE + place[0] * ch + ch / 2}px`;
      grid.append(input);
      input.focus();
      if (!options.keep) input.select();
      let open = true;
      const close = (typed: string | null, back: boolean) => {
        if (!open) return;
        open = false;
        options.done(typed);
        input.remove();
        if (back) grid.focus();
      };
      input.addEventListener(
        "input",
        guarded(() => options.live(input.value)),
      );
      input.addEventListener(
        "blur",
        guarded(() => close(input.value, false)),
      );
      input.addEventListener("pointerdown", (event) => event.stopPropagation());
      input.addEventListener(
        "keydown",
        guarded((event: KeyboardEvent) => {
          event.stopPropagation();
          const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
          if (by) {
            event.preventDefault();
            input.value = options.step(
              input.value,
              by * (event.shiftKey ? 1 : event.altKey ? 0.01 : 0.1),
            );
            options.live(input.value);
          } else if (event.key === "Enter") close(input.value, true);
          else if (event.key === "Escape") close(null, true);
        }),
      );
    },
  };
}

export interface EditOptions {
  label: string;
  /** The text was begun by a key: it is not to be replaced by the next. */
  keep: boolean;
  live(typed: string): void;
  step(typed: string, by: number): string;
  done(typed: string | null): void;
}

export type MatrixView = ReturnType<typeof createMatrix>;
