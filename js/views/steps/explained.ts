/** Explains an entry (under the pointer, reached by keyboard, or clicked), and marks the numbers that it is computed from and the numbers that are computed from it. */
import type { Highlight } from "../../draw/matrix/matrix";
import { markedCell } from "../../explain/cell";
import { differenceWords } from "../../explain/difference";
import { explain, type Source } from "../../explain/explain";
import { number } from "../../explain/numbers";
import { usesOf } from "../../explain/uses";
import type { Store } from "../../state/store";
import type { Scope } from "../../ui/scope";
import type { ChartView } from "./chart";
import { type Entry, isMap } from "./flow";
import { createPanel } from "./panel";
import { titleOf } from "./words";

export function createExplained(root: HTMLElement, store: Store, chart: ChartView, scope: Scope) {
  const panel = createPanel(root, store, scope);
  let entry: Entry = selected();
  /** The last entry that was clicked, dragged or reached. */
  let pinned: Entry = entry;
  let isKeyboard = false;
  let sources: Source[] = [];
  let uses: Source[] = [];
  /** The marks that are drawn, as JSON. */
  let markKey = "";

  function selected(): Entry {
    const [row, col] = markedCell(store);
    return { name: "scores", row, col };
  }

  function show(next: Entry) {
    entry = next;
    chart.matrix(next.name).activate([next.row, next.col]);
    refresh();
  }

  /** Explain the entry in words, and mark its sources. */
  function refresh() {
    const block = chart.find(entry.name)?.block;
    if (!block) return;
    entry.row = Math.min(entry.row, block.rows - 1);
    entry.col = Math.min(entry.col, block.cols - 1);
    const explanation = explain(store, entry.name, entry.row, entry.col);
    panel.show(entry, explanation, differenceLine());
    const words = `${titleOf(store, entry)} ${number(explanation.value)}`;
    chart.matrix(entry.name).say(words);
    sources = explanation.sources;
    uses = usesOf(store, entry.name, entry.row, entry.col);
    mark();
  }

  /** The entry before the last edit and now; empty where the view shows no differences. */
  function differenceLine(): string {
    const { name, row, col } = entry;
    const [old, now] = [store.before.matrix(name), store.matrix(name)];
    if (!store.showsDifference || !old || !now) return "";
    const at = row * now.cols + col;
    return differenceWords(old.data[at], now.data[at]);
  }

  function mark() {
    const key = JSON.stringify([entry, sources, uses, isKeyboard, chart.layouts]);
    if (key === markKey) return;
    markKey = key;
    for (const name of chart.names) {
      const highlight = { ...highlightIn(name, sources), uses: highlightIn(name, uses) };
      if (name === entry.name) highlight.cells.push([entry.row, entry.col]);
      chart.matrix(name).light(highlight, isKeyboard && name === entry.name);
    }
  }

  return {
    element: panel.element,
    /** The chart has another layout. */
    arrange: () => panel.arrange(chart.free),
    /** The matrices that the panel must not cover: the explained matrix and the results. */
    covered: () =>
      ([entry.name, "attention", "output"] as const).flatMap(
        (name) => chart.find(name)?.element ?? [],
      ),
    get pinned() {
      return pinned;
    },
    refresh,
    /** Explain the entry under the pointer, also after the pointer has left it: the way to a button of the panel leads over no entry. */
    hover(hovered: Entry | null) {
      isKeyboard = false;
      if (hovered) show(hovered);
      else mark();
    },
    /** Explain an entry, also after the pointer has left it. */
    pin(next: Entry) {
      pinned = next;
      show(next);
    },
    /** Explain the entry that the keyboard has reached. */
    reach(next: Entry) {
      isKeyboard = true;
      pinned = next;
      show(next);
    },
    blur() {
      isKeyboard = false;
      mark();
    },
    /** Take the new selection; the next picture explains it. */
    select() {
      const name = isMap(pinned.name) ? pinned.name : "scores";
      entry = pinned = { ...selected(), name };
    },
  };
}

function highlightIn(name: Source["name"], sources: readonly Source[]): Highlight {
  const highlight: Highlight = { rows: [], cols: [], cells: [] };
  for (const { row, col } of sources.filter((source) => source.name === name)) {
    if (row !== undefined && col !== undefined) highlight.cells.push([row, col]);
    else if (row !== undefined) highlight.rows.push(row);
    else if (col !== undefined) highlight.cols.push(col);
  }
  return highlight;
}
