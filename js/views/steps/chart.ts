/** The matrices of the flow and the arrows between them: their layout and their pixels. */
import { contextOf } from "../../draw/canvas-view";
import type { MatrixActions } from "../../draw/matrix/gestures";
import { createMatrix, type MatrixView } from "../../draw/matrix/matrix";
import { LABEL } from "../../draw/matrix/paint";
import { everySlot, fewSlots, MOST } from "../../draw/matrix/slots";
import { type Palette, palette } from "../../draw/palette";
import { markedCell } from "../../explain/cell";
import type { MatrixName } from "../../explain/explain";
import { visible } from "../../explain/tokens";
import type { Store } from "../../state/store";
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { createArrows } from "./arrows";
import { changes, differenceBar, differenceLook } from "./difference";
import { AXES, type Axis, type Chart, isEditable, type Sizes } from "./flow";
import { layout } from "./layout";
import { lookOf, type Tables } from "./looks";
import { noteOf } from "./words";

/** `actions` returns what pointer and keyboard do in a matrix. */
export function createChart(
  store: Store,
  actions: (name: MatrixName) => MatrixActions,
  scope: Scope,
) {
  const arrows = createArrows();
  const element = h("div", { class: "aw-chart" }, arrows.element);
  const matrices = new Map<MatrixName, MatrixView>();
  let chart: Chart | null = null;
  let layouts = 0;
  /** The axes of which every index is drawn. */
  const open = (store.kept.get("steps axes") as Set<Axis> | undefined) ?? new Set<Axis>();
  store.kept.set("steps axes", open);
  /** The query and the key that are drawn although their neighbours are left out. */
  let kept: Partial<Record<Axis, number>> = {};

  /** Draw the marked query and key from now on, if they are left out now; whether they were. */
  function keepMarked(): boolean {
    const [query, key] = markedCell(store);
    const block = matrices.get("scores")?.block;
    if (block?.rowSlots.indices.includes(query) && block.colSlots.indices.includes(key))
      return false;
    kept = { queries: query, keys: key };
    return true;
  }

  function matrix(name: MatrixName): MatrixView {
    const view = matrices.get(name) ?? createMatrix(name, isEditable(name), actions(name), scope);
    matrices.set(name, view);
    return view;
  }

  function labelWidths() {
    const context = contextOf(h("canvas"));
    context.font = `${LABEL}px ${palette(element).font}`;
    const widest = (tokens: readonly string[]) =>
      Math.max(
        ...tokens.slice(0, 400).map((t) => context.measureText(visible(t.slice(0, 40))).width),
      );
    return { queries: widest(store.tokens), keys: widest(store.keyTokens) };
  }

  return {
    element,
    matrix,
    /** The matrix, if the chart has it now. */
    find: (name: MatrixName) => matrices.get(name),
    /** The matrices that the chart has now. */
    get names(): MatrixName[] {
      return chart?.blocks.map(({ name }) => name) ?? [];
    },
    /** The place in the chart without matrices; null where there is none. */
    get free() {
      return chart?.free ?? null;
    },
    /** The number of layouts so far: after another layout, marks must be drawn again. */
    get layouts() {
      return layouts;
    },
    /** Draw every row, or column, of a matrix, or the first and the last again: of the matrices that share the axis too. */
    open(name: MatrixName, isRows: boolean, isCols: boolean) {
      const axes = AXES[name].filter((axis, at) => (at ? isCols : isRows) && canFold(store, axis));
      const isOpen = axes.some((axis) => open.has(axis));
      for (const axis of axes) isOpen ? open.delete(axis) : open.add(axis);
    },
    keepMarked,
    arrange(width: number): boolean {
      if (!chart) keepMarked();
      const sizes = sizesOf(store, open, kept);
      if (!sizes) return false;
      chart = layout(width, sizes, labelWidths());
      element.style.height = `${chart.height}px`;
      element.dataset.wide = String(chart.wide);
      for (const block of chart.blocks) {
        const view = matrix(block.name);
        view.place(block);
        // Do not append an element again: an element that is moved loses the pointer in the middle of a drag.
        if (view.element.parentElement !== element) element.append(view.element);
      }
      const names = new Set(chart.blocks.map((block) => block.name));
      for (const [name, view] of matrices) {
        if (names.has(name)) continue;
        view.element.remove();
        matrices.delete(name);
      }
      arrows.draw(chart);
      layouts++;
      return true;
    },
    /** Light up once what the last edit has changed; return the number of cells. */
    flash(color: string): number {
      const blocks = chart?.blocks ?? [];
      return blocks.reduce((n, { name }) => n + matrix(name).flash(changes(store, name), color), 0);
    },
    paint(tables: Tables, colors: Palette) {
      for (const { name, rows, cols } of chart?.blocks ?? []) {
        const isDifference = store.showsDifference;
        const look = isDifference
          ? differenceLook(store, name, tables.signed)
          : lookOf(store, name, tables);
        const bar = isDifference ? differenceBar(look) : null;
        matrix(name).paint(look, colors);
        matrix(name).describe(`${name}, ${rows} by ${cols}`, {
          title: { embeddings: "X", key_embeddings: "Y" }[name as "embeddings"] ?? name,
          shape: `${rows}×${cols}`,
          note: isDifference ? "no change" : noteOf(store, name),
          bar,
          hand: isEditable(name) && store.anyByHandIn(name),
          isOpen: AXES[name].some((axis) => canFold(store, axis))
            ? AXES[name].some((axis) => open.has(axis))
            : undefined,
          mistake: store.mistake?.step === name ? store.mistake.name : "",
        });
      }
    },
  };
}

export type ChartView = ReturnType<typeof createChart>;

function countsOf(store: Store): Record<Axis, number> {
  const cols = (name: "embeddings" | "Q" | "V") => store.matrix(name)?.cols ?? 0;
  const [dModel, dK, dV] = [cols("embeddings"), cols("Q"), cols("V")];
  return { queries: store.nQ, keys: store.nK, dModel, dK, dV };
}

const canFold = (store: Store, axis: Axis) => countsOf(store)[axis] > MOST;

/** Null where the page does not have the matrices of the flow. */
function sizesOf(
  store: Store,
  open: ReadonlySet<Axis>,
  kept: Readonly<Partial<Record<Axis, number>>>,
): Sizes | null {
  const X = store.matrix("embeddings");
  if (!store.matrix("Q") || !store.matrix("V")) return null;
  const count = countsOf(store);
  const slots = (axis: Axis) =>
    open.has(axis) ? everySlot(count[axis]) : fewSlots(count[axis], kept[axis] ?? null);
  return {
    nQ: store.nQ,
    nK: store.nK,
    ...count,
    slots: {
      queries: slots("queries"),
      keys: slots("keys"),
      dModel: slots("dModel"),
      dK: slots("dK"),
      dV: slots("dV"),
    },
    inputs: X !== null && store.matrix("W_q") !== null,
    cross: store.matrix("key_embeddings") !== null,
  };
}
