/** The matrices of the flow and the arrows between them: their layout and their pixels. */
import { contextOf } from "../../draw/canvas-view";
import type { MatrixActions } from "../../draw/matrix/gestures";
import { createMatrix, type MatrixView } from "../../draw/matrix/matrix";
import { LABEL } from "../../draw/matrix/paint";
import { type Palette, palette } from "../../draw/palette";
import type { MatrixName } from "../../explain/explain";
import { visible } from "../../explain/tokens";
import type { Store } from "../../state/store";
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { createArrows } from "./arrows";
import { type Chart, isEditable, type Sizes } from "./flow";
import { layout } from "./layout";
import { looksOf, type Tables } from "./looks";
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
    /** The number of layouts so far: after another layout, marks must be drawn again. */
    get layouts() {
      return layouts;
    },
    arrange(width: number): boolean {
      const sizes = sizesOf(store);
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
    paint(tables: Tables, colors: Palette) {
      const look = looksOf(store, tables);
      for (const { name, rows, cols } of chart?.blocks ?? []) {
        matrix(name).paint(look(name), colors);
        matrix(name).describe(`${name}, ${rows} by ${cols}`, {
          title: { embeddings: "X", key_embeddings: "Y" }[name as "embeddings"] ?? name,
          shape: `${rows}×${cols}`,
          note: noteOf(store, name),
          hand: isEditable(name) && store.anyByHandIn(name),
          mistake: name === "attention" || name === "output" ? (store.mistaken?.name ?? "") : "",
        });
      }
    },
  };
}

export type ChartView = ReturnType<typeof createChart>;

/** Null where the page does not have the matrices of the flow. */
function sizesOf(store: Store): Sizes | null {
  const [Q, V, X] = [store.matrix("Q"), store.matrix("V"), store.matrix("embeddings")];
  if (!Q || !V) return null;
  return {
    nQ: store.nQ,
    nK: store.nK,
    dModel: X?.cols ?? 0,
    dK: Q.cols,
    dV: V.cols,
    inputs: X !== null && store.matrix("W_q") !== null,
    cross: store.matrix("key_embeddings") !== null,
  };
}
