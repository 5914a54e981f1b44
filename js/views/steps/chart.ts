/** The matrices of the flow and the arrows between them: where they lie, and their pixels. */
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

/** `actions` says what the pointer and the keys do in a matrix. */
export function createChart(
  store: Store,
  actions: (name: MatrixName) => MatrixActions,
  scope: Scope,
) {
  const arrows = createArrows();
  const element = h("div", { class: "aw-chart" }, arrows.element);
  const matrices = new Map<MatrixName, MatrixView>();
  let drawn: Chart | null = null;
  let layouts = 0;

  function matrix(name: MatrixName): MatrixView {
    const known = matrices.get(name);
    if (known) return known;
    const made = createMatrix(name, isEditable(name), actions(name), scope);
    matrices.set(name, made);
    return made;
  }

  function widest() {
    const context = contextOf(h("canvas"));
    context.font = `${LABEL}px ${palette(element).font}`;
    const most = (tokens: readonly string[]) =>
      Math.max(
        ...tokens.slice(0, 400).map((t) => context.measureText(visible(t.slice(0, 40))).width),
      );
    return { queries: most(store.tokens), keys: most(store.keyTokens) };
  }

  return {
    element,
    matrix,
    /** The matrix, where it is drawn now. */
    known: (name: MatrixName) => matrices.get(name),
    /** The matrices that are drawn now. */
    get names(): MatrixName[] {
      return drawn?.blocks.map(({ name }) => name) ?? [];
    },
    /** How many layouts there were: marks of an earlier layout lie elsewhere. */
    get layouts() {
      return layouts;
    },
    arrange(width: number): boolean {
      const sizes = sizesOf(store);
      if (!sizes) return false;
      drawn = layout(width, sizes, widest());
      element.style.height = `${drawn.height}px`;
      element.dataset.wide = String(drawn.wide);
      for (const block of drawn.blocks) {
        const made = matrix(block.name);
        made.place(block);
        // A matrix put in again would lose the pointer in the middle of a drag.
        if (made.element.parentElement !== element) element.append(made.element);
      }
      const names = new Set(drawn.blocks.map((block) => block.name));
      for (const [name, made] of matrices) {
        if (names.has(name)) continue;
        made.element.remove();
        matrices.delete(name);
      }
      arrows.draw(drawn);
      layouts++;
      return true;
    },
    paint(tables: Tables, colors: Palette) {
      const look = looksOf(store, tables);
      for (const { name, rows, cols } of drawn?.blocks ?? []) {
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

/** Null where the numbers of the flow are not here. */
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
