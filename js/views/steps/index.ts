/** The whole flow: X, the weights, Q, K, V, scores, mask, attention, output, each number live. */

import { createHeads } from "../../card/heads";
import type { Env, View } from "../../card/view";
import { type Lut, lut, signedLut } from "../../draw/color";
import { createMatrix, type Lit, type MatrixView, type Place } from "../../draw/matrix/matrix";
import type { Look } from "../../draw/matrix/paint";
import { LABEL } from "../../draw/matrix/paint";
import { palette } from "../../draw/palette";
import { opening } from "../../explain/cell";
import { explain, type MatrixName, type Source } from "../../explain/explain";
import { number } from "../../explain/numbers";
import { visible } from "../../explain/tokens";
import type { Store } from "../../state/store";
import { h } from "../../ui/dom";
import { keepInView } from "../../ui/float";
import type { Editable } from "../../wire/schema";
import { watchDensity } from "../heatmap/density";
import { createArrows } from "./arrows";
import { editNumber, isEditable, type Shown } from "./edit";
import type { Chart } from "./flow";
import { layout } from "./layout";
import { createPanel } from "./panel";
import { noteOf, titleOf } from "./words";

/** Maps of queries and keys, where a click masks. */
const isMap = (name: MatrixName) => name === "scores" || name === "mask" || name === "attention";

/** Matrices that share one scale of colours: what is compared is drawn alike. */
const SCALES: MatrixName[][] = [
  ["embeddings", "key_embeddings"],
  ["W_q", "W_k", "W_v"],
  ["Q", "K", "V", "output"],
  ["scores"],
];

export const view: View = {
  name: "steps",
  label: "Steps",
  needs: ["Q", "K", "V"],
  parts: ["edits", "lab", "foot", "layer", "head"],
  keys: [
    ["drag", "a number"],
    ["type", "another"],
    ["↑↓", "in the box: step"],
    ["click", "masks"],
  ],
  drawn: (store) => store.mistaken?.attention ?? null,
  mount(host, card) {
    const column = h("div", { class: "aw-steps-column" });
    host.append(column);
    createHeads(column, card.store, card);
    createSteps(column, card.store, card);
  },
};

function createSteps(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, focus, theme } = env;
  const arrows = createArrows();
  const chart = h("div", { class: "aw-chart" }, arrows.element);
  const root = h("div", { class: "aw-steps" }, chart);
  parent.append(root);
  const panel = createPanel(root, store, env);
  keepInView(panel.element, root, env);
  const views = new Map<MatrixName, MatrixView>();
  let shown: Shown = selected();
  /** What is shown while the pointer is over no number: the one clicked, dragged or reached last. */
  let pinned: Shown = shown;
  let keyboard = false;
  let drawn: Chart | null = null;
  let relayout = true;
  let painted = 0;
  let laid = 0;
  let marked = "";
  let sources: Source[] = [];
  let signed: Lut = signedLut(theme.dark);
  let weights: Lut = lut(store.get("cmap"));

  function selected(): Shown {
    const selection = store.get("selection");
    const inside = selection && selection[0] < store.nQ && selection[1] < store.nK;
    const [row, col] = inside ? selection : opening(store);
    return { name: "scores", row, col };
  }

  function view(name: MatrixName): MatrixView {
    const known = views.get(name);
    if (known) return known;
    const made = createMatrix(
      name,
      isEditable(name),
      {
        hover(place) {
          keyboard = false;
          show(place ? { name, row: place[0], col: place[1] } : pinned);
        },
        reach(place) {
          keyboard = true;
          pin({ name, row: place[0], col: place[1] });
        },
        click: (place, event) => click(name, place, event),
        cancel: store.abandon,
        drag(place, by, event) {
          if (by === null) store.settle();
          else {
            edits.drag(name as Editable, place, by, event);
            pin({ name, row: place[0], col: place[1] });
          }
        },
        type: (place, begin) => edits.type(name as Editable, place, begin),
        undo: (redo) => (redo ? store.redo() : store.undo()),
        leave() {
          const notebook = root.closest<HTMLElement>(".jp-Notebook");
          if (notebook) notebook.focus();
          else made.grid.blur();
        },
      },
      env,
    );
    env.listen(made.grid, "blur", () => {
      if (keyboard) keyboard = false;
      light();
    });
    views.set(name, made);
    return made;
  }

  const edits = editNumber(store, view);

  function click(name: MatrixName, [row, col]: Place, event: PointerEvent | null) {
    view(name).grid.focus({ preventScroll: true });
    if (isMap(name)) {
      const cell = row * store.nK + col;
      // A finger has no hover: its first tap shows, the next one masks.
      const there = pinned.name === name && pinned.row === row && pinned.col === col;
      const masks = event?.pointerType !== "touch" || there;
      if (masks && !store.locked?.[cell]) store.paint([cell], !store.mask[cell], store.stroke());
      store.set("selection", [row, col]);
      focus.set([row, col]);
    }
    pin({ name, row, col });
  }

  function pin(next: Shown) {
    pinned = next;
    show(next);
  }

  function show(next: Shown) {
    shown = next;
    view(next.name).activate([next.row, next.col]);
    refresh();
  }

  /** Say and mark what the shown number is made of. */
  function refresh() {
    const block = views.get(shown.name)?.block;
    if (!block) return;
    shown.row = Math.min(shown.row, block.rows - 1);
    shown.col = Math.min(shown.col, block.cols - 1);
    const explanation = explain(store, shown.name, shown.row, shown.col);
    panel.show(shown, explanation);
    view(shown.name).say(`${titleOf(store, shown)} ${number(explanation.value)}`);
    sources = explanation.sources;
    light();
  }

  function light() {
    // The same marks in the same places are there already.
    const place = JSON.stringify([shown, sources, keyboard, laid]);
    if (!drawn || place === marked) return;
    marked = place;
    for (const { name } of drawn.blocks) {
      const lit: Lit = { rows: [], cols: [], cells: [] };
      for (const source of sources.filter((s) => s.name === name)) {
        if (source.row !== undefined && source.col !== undefined) {
          lit.cells.push([source.row, source.col]);
        } else if (source.row !== undefined) lit.rows.push(source.row);
        else if (source.col !== undefined) lit.cols.push(source.col);
      }
      if (name === shown.name) lit.cells.push([shown.row, shown.col]);
      view(name).light(lit, keyboard && name === shown.name);
    }
  }

  function arrange() {
    const width = chart.clientWidth;
    if (width === 0) return;
    const [Q, V, X] = [store.matrix("Q"), store.matrix("V"), store.matrix("embeddings")];
    if (!Q || !V) return;
    const sizes = {
      nQ: store.nQ,
      nK: store.nK,
      dModel: X?.cols ?? 0,
      dK: Q.cols,
      dV: V.cols,
      inputs: X !== null && store.matrix("W_q") !== null,
      cross: store.matrix("key_embeddings") !== null,
    };
    drawn = layout(width, sizes, widest());
    chart.style.height = `${drawn.height}px`;
    chart.dataset.wide = String(drawn.wide);
    for (const block of drawn.blocks) {
      view(block.name).place(block);
      // A matrix put in again would lose the pointer in the middle of a drag.
      const { element } = view(block.name);
      if (element.parentElement !== chart) chart.append(element);
    }
    const names = new Set(drawn.blocks.map((block) => block.name));
    for (const [name, { element }] of views) {
      if (names.has(name)) continue;
      element.remove();
      views.delete(name);
    }
    arrows.draw(drawn);
    laid++;
    relayout = false;
  }

  function widest() {
    const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    context.font = `${LABEL}px ${palette(root).font}`;
    const most = (tokens: readonly string[]) =>
      Math.max(
        ...tokens.slice(0, 400).map((t) => context.measureText(visible(t.slice(0, 40))).width),
      );
    return { queries: most(store.tokens), keys: most(store.keyTokens) };
  }

  function paint() {
    if (relayout) arrange();
    if (!drawn) return;
    const colors = palette(root);
    const sizes = new Map<MatrixName, number>();
    for (const group of SCALES) {
      const most = Math.max(...group.map((name) => size(name)));
      for (const name of group) sizes.set(name, most);
    }
    for (const { name, rows, cols } of drawn.blocks) {
      view(name).paint(look(name, sizes.get(name) ?? 1), colors);
      const hand = isEditable(name) && store.anyByHandIn(name);
      view(name).describe(`${name}, ${rows} by ${cols}`, {
        title: { embeddings: "X", key_embeddings: "Y" }[name as "embeddings"] ?? name,
        shape: `${rows}×${cols}`,
        note: noteOf(store, name),
        hand,
        mistake: name === "attention" || name === "output" ? (store.mistaken?.name ?? "") : "",
      });
    }
    root.dataset.painted = String(++painted);
    refresh();
  }

  function size(name: MatrixName): number {
    const m = name === "mask" ? null : store.matrix(name);
    let most = 0;
    for (const value of m?.data ?? []) most = Math.max(most, Math.abs(value));
    return most;
  }

  function look(name: MatrixName, most: number): Look {
    const { nK, mask } = store;
    const masked = (r: number, c: number) => Boolean(mask[r * nK + c]);
    const common = {
      queries: store.tokens,
      keys: store.keyTokens,
      largest: most,
      marked: (r: number, c: number) => isEditable(name) && store.isByHand(name, r, c),
    };
    if (name === "mask") {
      const share = (r: number, c: number) => (masked(r, c) ? null : 0.5);
      return { ...common, value: () => 0, share, table: signed, plain: true, signed: false };
    }
    const wrong = name === "attention" || name === "output" ? store.mistaken : null;
    const m = wrong ? wrong[name as "output"] : store.matrix(name);
    const value = (r: number, c: number) => m?.data[r * m.cols + c] as number;
    if (name === "attention") {
      // What a mistake gives to masked cells is to be seen; what is no number has no colour.
      const shows = (r: number, c: number) =>
        wrong ? Number.isFinite(value(r, c)) : !masked(r, c);
      const share = (r: number, c: number) => (shows(r, c) ? value(r, c) : null);
      return { ...common, value, share, table: weights, largest: 1, signed: false };
    }
    const share = (r: number, c: number) => {
      const v = value(r, c);
      return Number.isFinite(v) ? (most > 0 ? 0.5 + v / most / 2 : 0.5) : null;
    };
    return { ...common, value, share, table: signed, signed: (m?.data ?? []).some((v) => v < 0) };
  }

  const request = env.frame(paint);

  store.subscribe((change) => {
    if (change.names.has("cmap")) weights = lut(store.get("cmap"));
    relayout ||= change.all;
    if (change.names.has("selection")) {
      const name = isMap(pinned.name) ? pinned.name : "scores";
      shown = pinned = { ...selected(), name };
    }
    const settings = [
      "cmap",
      "selection",
      "scale",
      "overridden",
      "init",
      "positional",
      "head",
      "report",
    ];
    if (change.all || change.rows.size || settings.some((name) => change.names.has(name)))
      request();
  }, signal);
  let width = 0;
  env.onResize([root], () => {
    if (chart.clientWidth === width && !relayout) return;
    width = chart.clientWidth;
    relayout = true;
    request();
  });
  theme.subscribe(() => {
    signed = signedLut(theme.dark);
    request();
  }, signal);
  watchDensity(() => {
    relayout = true;
    request();
  }, env);
  paint();
}
