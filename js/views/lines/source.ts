/** The lines of the layer that is shown: from the page's own maps, or as Python sends them. */
import type { Store } from "../../state/store";
import { problem } from "../../state/waiting";
import type { Matrix } from "../../wire/codec";
import { fromMatrices, fromMessage, type LineData, withHead } from "./data";

/** All heads of a layer, as Python sent them. */
interface Sent {
  layer: number;
  kind: string;
  data: LineData;
}

/** `changed` is called when lines come, when they do not, and when those drawn may be of another layer. */
export function createSource(store: Store, signal: AbortSignal, changed: () => void) {
  /** Lines that Python sent: those drawn, and those that come before the layer that they are of. */
  let sent: Sent | null = null;
  let next: Sent | null = null;
  let asking = new AbortController();
  let trouble = "";

  /** A sentence's heads are on the page, a model's come by layer. */
  const isHere = () =>
    store.get("layers").every(({ module }) => module === "") && store.stacked === store.nHeads;

  /** The lines of the layer that is shown: those of another wait until it is. */
  function current(): LineData | null {
    if (isHere()) {
      const heads = Array.from({ length: store.nHeads }, (_, head) => head);
      return fromMatrices(heads.map((head) => store.matrix("attention", head) as Matrix));
    }
    const { layer, head, kind } = store.shown;
    const isShown = (lines: Sent | null) => lines?.layer === layer && lines.kind === kind;
    if (isShown(next)) [sent, next] = [next, null];
    // The shown head is as it is here, with what was masked by hand.
    return sent && isShown(sent) ? withHead(sent.data, head, store.attention) : null;
  }

  return {
    current,
    /** Why there are no newer lines; empty where there are. */
    get trouble() {
      return trouble;
    },
    async load() {
      asking.abort();
      const mine = new AbortController();
      asking = mine;
      trouble = "";
      if (isHere() || !current()) changed();
      if (isHere()) return;
      const [layer, kind] = [store.get("layer"), store.get("kind")];
      try {
        const until = AbortSignal.any([signal, mine.signal]);
        const { content, buffers } = await store.request({ type: "lines", layer, kind }, until);
        next = { layer, kind, data: fromMessage(content as never, buffers) };
      } catch (error) {
        if (mine.signal.aborted || signal.aborted) return;
        trouble = problem("The lines", error);
      }
      changed();
    },
  };
}
