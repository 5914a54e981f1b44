/** The lines of the layer that is shown, from the maps of the page or from Python. */
import type { Store } from "../../state/store";
import { problem as problemOf } from "../../state/waiting";
import type { Matrix } from "../../wire/codec";
import { fromMatrices, fromMessage, type LineData, withHead } from "./data";

/** The lines of all heads of a layer, from Python. */
interface LayerLines {
  layer: number;
  stack: string;
  data: LineData;
}

/** `changed` is called when lines arrive, when a request fails, and when the drawn lines may be of another layer. */
export function createSource(store: Store, signal: AbortSignal, changed: () => void) {
  /** The lines that are drawn. */
  let drawn: LayerLines | null = null;
  /** The newest lines, which may arrive before the page shows their layer. */
  let newest: LayerLines | null = null;
  let request = new AbortController();
  let problem = "";

  /** Whether the page has the maps of all heads, as for a sentence; Python sends the lines of a model layer by layer. */
  const isHere = () =>
    store.get("layers").every(({ module }) => module === "") && store.stackedHeads === store.nHeads;

  function isShown(lines: LayerLines | null): lines is LayerLines {
    const { layer, stack } = store.shown;
    return lines?.layer === layer && lines.stack === stack;
  }

  /** The lines of the layer that is shown; null where they have not arrived. */
  function current(): LineData | null {
    if (isHere()) {
      const heads = Array.from({ length: store.nHeads }, (_, head) => head);
      return fromMatrices(heads.map((head) => store.matrix("attention", head) as Matrix));
    }
    if (isShown(newest)) [drawn, newest] = [newest, null];
    // For the shown head the page has newer weights, with the cells that were masked by hand.
    return drawn && isShown(drawn) ? withHead(drawn.data, store.shown.head, store.attention) : null;
  }

  return {
    current,
    /** The reason why the last request failed; empty after success. */
    get problem() {
      return problem;
    },
    async load() {
      request.abort();
      request = new AbortController();
      const until = AbortSignal.any([signal, request.signal]);
      problem = "";
      if (isHere() || !current()) changed();
      if (isHere()) return;
      const [layer, stack] = [store.get("layer"), store.get("stack")];
      try {
        const { content, buffers } = await store.request({ type: "lines", layer, stack }, until);
        newest = { layer, stack, data: fromMessage(content as never, buffers) };
        // The view draws the lines when the card shows their layer, because the header names that layer then.
        if (!isShown(newest)) return;
      } catch (error) {
        if (until.aborted) return;
        problem = problemOf("The lines", error);
      }
      changed();
    },
  };
}
