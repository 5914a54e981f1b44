/** The number that is explained: under the pointer, reached by keyboard, or clicked; and what it is made of. */
import type { Lit } from "../../draw/matrix/matrix";
import { opening } from "../../explain/cell";
import { explain, type Source } from "../../explain/explain";
import { number } from "../../explain/numbers";
import type { Store } from "../../state/store";
import type { Scope } from "../../ui/scope";
import type { ChartView } from "./chart";
import { isMap, type Shown } from "./flow";
import { createPanel } from "./panel";
import { titleOf } from "./words";

export function createExplained(root: HTMLElement, store: Store, chart: ChartView, scope: Scope) {
  const panel = createPanel(root, store, scope);
  let shown: Shown = selected();
  /** The number that is shown while the pointer is over none: clicked, dragged or reached last. */
  let pinned: Shown = shown;
  let isKeyboard = false;
  let sources: Source[] = [];
  let marked = "";

  function selected(): Shown {
    const selection = store.get("selection");
    const isInside = selection && selection[0] < store.nQ && selection[1] < store.nK;
    const [row, col] = isInside ? selection : opening(store);
    return { name: "scores", row, col };
  }

  function show(next: Shown) {
    shown = next;
    chart.matrix(next.name).activate([next.row, next.col]);
    refresh();
  }

  /** Say and mark what the shown number is made of. */
  function refresh() {
    const block = chart.known(shown.name)?.block;
    if (!block) return;
    shown.row = Math.min(shown.row, block.rows - 1);
    shown.col = Math.min(shown.col, block.cols - 1);
    const explanation = explain(store, shown.name, shown.row, shown.col);
    panel.show(shown, explanation);
    const words = `${titleOf(store, shown)} ${number(explanation.value)}`;
    chart.matrix(shown.name).say(words);
    sources = explanation.sources;
    light();
  }

  function light() {
    // The same marks in the same places are there already.
    const wanted = JSON.stringify([shown, sources, isKeyboard, chart.layouts]);
    if (wanted === marked) return;
    marked = wanted;
    for (const name of chart.names) {
      const lit = litIn(name, sources);
      if (name === shown.name) lit.cells.push([shown.row, shown.col]);
      chart.matrix(name).light(lit, isKeyboard && name === shown.name);
    }
  }

  return {
    element: panel.element,
    get pinned() {
      return pinned;
    },
    refresh,
    hover(place: Shown | null) {
      isKeyboard = false;
      show(place ?? pinned);
    },
    /** Show a number also when the pointer has left it. */
    pin(next: Shown) {
      pinned = next;
      show(next);
    },
    reach(next: Shown) {
      isKeyboard = true;
      pinned = next;
      show(next);
    },
    blur() {
      isKeyboard = false;
      light();
    },
    /** Another cell is selected: it is shown in the next picture. */
    select() {
      const name = isMap(pinned.name) ? pinned.name : "scores";
      shown = pinned = { ...selected(), name };
    },
  };
}

function litIn(name: Source["name"], sources: readonly Source[]): Lit {
  const lit: Lit = { rows: [], cols: [], cells: [] };
  for (const { row, col } of sources.filter((source) => source.name === name)) {
    if (row !== undefined && col !== undefined) lit.cells.push([row, col]);
    else if (row !== undefined) lit.rows.push(row);
    else if (col !== undefined) lit.cols.push(col);
  }
  return lit;
}
