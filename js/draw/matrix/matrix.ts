/** A matrix: a canvas with the cells, an ARIA grid for screen readers, and a box for typing a number. */
import { h, text } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { contextOf, resizeCanvas } from "../canvas-view";
import { elementId } from "../element-id";
import type { Palette } from "../palette";
import { type Block, TITLE } from "./block";
import { type EditOptions, openBox } from "./edit-box";
import { flash } from "./flash";
import { listenToMatrix, type MatrixActions, type MatrixState, type Place } from "./gestures";
import { type Look, paintBlock, type Scratch } from "./paint";

export interface Texts {
  title: string;
  shape: string;
  note: string;
  /** Whether a number was set by hand. */
  hand: boolean;
  /** The name of the mistake that the numbers are computed with; empty where the numbers are right. */
  mistake: string;
  /** Whether rows or columns that can be left out are drawn; undefined where none can be. */
  isOpen?: boolean | undefined;
  /** A colour bar in place of the note: the largest size, and the colours from negative to positive. */
  bar?: { size: string; ramp: string } | null;
}

/** The rows, columns and cells of a matrix that get a frame. */
export interface Highlight {
  rows: number[];
  cols: number[];
  cells: Place[];
  /** The rows and columns that are made of the explained number. */
  uses?: { rows: number[]; cols: number[] };
}

export function createMatrix(
  name: string,
  editable: boolean,
  actions: MatrixActions,
  scope: Scope,
) {
  const id = elementId();
  const title = h("b", {});
  const shape = h("span", { class: "aw-shape" });
  const byHand = h("span", { class: "aw-by-hand" }, "by hand");
  const mistake = h("span", { class: "aw-mistaken", hidden: true });
  const more = h("button", { class: "aw-matrix-open", hidden: true });
  const note = h("p", { class: "aw-note" });
  const bar = h("p", { class: "aw-matrix-scale", hidden: true });
  const canvas = h("canvas", {});
  const frames = h("div", { class: "aw-lits" });
  const gridcell = h("div", { role: "gridcell", id });
  const row = h("div", { role: "row", class: "aw-gridrow" }, gridcell);
  const grid = h(
    "div",
    { class: "aw-grid", role: "grid", tabindex: 0, "aria-activedescendant": id },
    canvas,
    frames,
    row,
  );
  if (editable) grid.dataset.editable = "true";
  const element = h("section", { class: "aw-matrix", "data-name": name });
  element.append(h("h4", {}, title, shape, more, byHand, mistake), note, bar, grid);
  scope.listen(more, "click", () => actions.open?.(true, true));
  const context = contextOf(canvas);
  const scratch: Scratch = { canvas: h("canvas", {}), image: null };
  const state: MatrixState = { block: null, active: [0, 0] };

  const clamp = ([r, c]: Place): Place =>
    state.block ? [Math.min(r, state.block.rows - 1), Math.min(c, state.block.cols - 1)] : [0, 0];

  listenToMatrix(grid, editable, state, actions, scope);

  return {
    element,
    grid,
    get block() {
      return state.block;
    },
    get active() {
      return clamp(state.active);
    },
    activate(place: Place) {
      state.active = place;
    },
    describe(label: string, texts: Texts) {
      grid.setAttribute("aria-label", label);
      text(title, texts.title);
      text(shape, texts.shape);
      text(note, texts.note);
      text(bar, texts.bar?.size ?? "");
      bar.style.setProperty("--aw-ramp", texts.bar?.ramp ?? "");
      bar.hidden = !texts.bar;
      note.hidden = !bar.hidden;
      byHand.hidden = !texts.hand;
      mistake.hidden = !texts.mistake;
      text(mistake, texts.mistake);
      more.hidden = texts.isOpen === undefined;
      text(more, texts.isOpen ? "few" : "all");
      const numbers = texts.isOpen ? "the first and the last numbers" : "every number";
      more.title = `show ${numbers} of ${texts.title}`;
      more.setAttribute("aria-label", more.title);
    },
    /** Set the text of the active cell for screen readers. */
    say(label: string) {
      const [r, c] = clamp(state.active);
      row.setAttribute("aria-rowindex", String(r + 1));
      gridcell.setAttribute("aria-colindex", String(c + 1));
      gridcell.setAttribute("aria-label", label);
    },
    place(next: Block) {
      state.block = next;
      const [width, height] = [next.width + 2, next.height - TITLE + 2];
      element.style.left = `${next.x}px`;
      element.style.top = `${next.y}px`;
      element.style.width = `${next.width}px`;
      resizeCanvas(canvas, width, height);
      grid.style.width = `${next.width}px`;
      grid.style.height = `${height}px`;
      grid.setAttribute("aria-rowcount", String(next.rows));
      grid.setAttribute("aria-colcount", String(next.cols));
      Object.assign(grid.dataset, {
        left: next.left,
        top: next.top - TITLE,
        cw: next.cw,
        ch: next.ch,
        rows: next.rows,
        cols: next.cols,
        drawn: [next.rowSlots, next.colSlots].map(({ indices }) => indices.join()).join(";"),
      });
    },
    paint(look: Look, colors: Palette) {
      if (state.block) paintBlock(context, state.block, look, colors, TITLE, scratch);
    },
    /** Light up once the cells that have changed; return their number. */
    flash(isChanged: (row: number, col: number) => boolean, color: string): number {
      if (!state.block) return 0;
      const { top, rowSlots, colSlots } = state.block;
      const [rows, cols] = [rowSlots.indices, colSlots.indices];
      return flash(grid, { ...state.block, top: top - TITLE, rows, cols }, isChanged, color);
    },
    light(highlight: Highlight, keyboard: boolean) {
      if (state.block) frames.replaceChildren(...framesOf(state.block, highlight, keyboard));
    },
    /** Open a box for typing over a cell. */
    edit(place: Place, firstText: string, options: EditOptions) {
      if (state.block) openBox(grid, state.block, place, firstText, options, scope);
    },
  };
}

export type MatrixView = ReturnType<typeof createMatrix>;

/** Frames around rows, columns and cells; the frame of a cell that the keyboard has reached looks different. */
function framesOf(
  block: Block,
  { rows, cols, cells, uses }: Highlight,
  keyboard: boolean,
): HTMLElement[] {
  const { left, cw, ch, rowSlots, colSlots } = block;
  const top = block.top - TITLE;
  const [width, height] = [colSlots.indices.length * cw, rowSlots.indices.length * ch];
  const frame = (kind: string, x: number, y: number, width: number, height: number) => {
    const box = h("i", { class: kind === "use" ? "aw-use" : `aw-lit aw-lit-${kind}` });
    box.style.left = `${left + x - 1}px`;
    box.style.top = `${top + y - 1}px`;
    box.style.width = `${width + 1}px`;
    box.style.height = `${height + 1}px`;
    return box;
  };
  const lines = (kind: string, rows: readonly number[], cols: readonly number[]) => [
    ...rows.map((r) => frame(kind, 0, rowSlots.placeOf(r) * ch, width, ch)),
    ...cols.map((c) => frame(kind, colSlots.placeOf(c) * cw, 0, cw, height)),
  ];
  return [
    ...lines("use", uses?.rows ?? [], uses?.cols ?? []),
    ...lines("line", rows, cols),
    ...cells.map(([r, c]) =>
      frame(keyboard ? "key" : "cell", colSlots.placeOf(c) * cw, rowSlots.placeOf(r) * ch, cw, ch),
    ),
  ];
}
