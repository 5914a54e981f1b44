/** The browser's mirror of a comparison: what is picked of it, and its maps. */
import type { AnyModel } from "@anywidget/types";
import { decode } from "../wire/codec";
import type { Packed } from "../wire/schema";
import { createWaiting, NO_ANSWER, NotSaved } from "./waiting";

/** A row or column: its place in A, its place in B, its label. */
export type Pair = [a: number | null, b: number | null, label: string];

export interface ComparisonTraits {
  comparison: true;
  stack: string;
  layer: number;
  head: number;
  align: "token" | "position";
  cmap: string;
  color_scale: "unit" | "map";
  selection: [number, number] | null;
  /** What both sides have: stacks, layers of the shown one, heads of the shown layer. */
  offered: { stack: string[]; layer: number[]; head: number[] };
  rows: Pair[];
  columns: Pair[];
  a: Packed;
  b: Packed;
  masked_a: Packed;
  masked_b: Packed;
  /** Where the colours of A and B end, and those of the difference to either side. */
  peaks: [weight: number, change: number];
  /** The cells that changed most, the largest change first. */
  changes: [number, number][];
  /** The stack, layer and head that the maps belong to. */
  shown: [string, number, number];
  /** The name of A, B and their difference, and what that is. */
  labels: [name: string, what: string][];
  title: string;
  notice: string;
  error: string;
  revision: number;
}

// Python counts up `revision` with all that is its own.
const HEARD = ["revision", "stack", "layer", "head", "selection", "error"] as const;
/** What a page may set; the rest is Python's. */
export type Choice = "stack" | "layer" | "head" | "selection" | "error";

export type Comparison = ReturnType<typeof createComparisonStore>;

export function createComparisonStore(model: AnyModel<ComparisonTraits>, signal: AbortSignal) {
  const get = <K extends keyof ComparisonTraits>(name: K) => model.get(name);
  const floats = (name: "a" | "b") => decode(get(name)) as Float32Array;
  const read = () => {
    const [a, b] = [floats("a"), floats("b")];
    const masked = [decode(get("masked_a")), decode(get("masked_b"))] as const;
    // A masked cell weighs 0; where one side has no cell, the weight is NaN.
    return { a, b, masked, difference: a.map((v, at) => b[at] - v) };
  };
  let maps = read();
  let refusal = "";
  const listeners = new Set<() => void>();
  const shown = () => {
    const [stack, layer, head] = get("shown");
    return { stack, layer, head };
  };
  const isWaiting = () => {
    const { stack, layer, head } = shown();
    return stack !== get("stack") || layer !== get("layer") || head !== get("head");
  };
  let queued = false;
  const hear = () => {
    if (queued) return;
    queued = true;
    queueMicrotask(() => {
      queued = false;
      maps = read();
      if (!isWaiting()) waiting.answered();
      for (const listener of listeners) listener();
    });
  };
  for (const name of HEARD) {
    model.on(`change:${name}`, hear);
    signal.addEventListener("abort", () => model.off(`change:${name}`, hear));
  }
  // Python follows both widgets as long as some page displays the comparison.
  const page = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const sendDisplayed = (on: boolean) =>
    waiting.live && model.send({ type: "displayed", page, on });
  signal.addEventListener("abort", () => sendDisplayed(false));
  const waiting = createWaiting(model as AnyModel<never>, isWaiting, hear, signal);
  sendDisplayed(true);

  return {
    get,
    /** A, B and B - A, (rows, columns), and what A and B mask. */
    get maps() {
      return maps;
    },
    /** The stack, layer and head that the maps belong to. */
    get shown() {
      return shown();
    },
    /** What is waited for, in words; empty where nothing is. */
    get waitsFor(): string {
      if (refusal) return refusal;
      if (!waiting.live || !isWaiting()) return "";
      return waiting.late ? NO_ANSWER : "waiting for Python";
    },
    set<K extends Choice>(name: K, value: ComparisonTraits[K]) {
      const here: Partial<Record<Choice, unknown>> = shown();
      if (name in here && value !== here[name] && !waiting.live) {
        refusal = new NotSaved(`${name === "stack" ? "the stack" : name} ${value}`).message;
        hear();
        return;
      }
      refusal = "";
      model.set(name, value as never);
      if (!waiting.live) return;
      model.save_changes();
      waiting.asked();
    },
    /** One message sets many traits one after the other: a listener hears of it when all are in. */
    subscribe(listener: () => void) {
      listeners.add(listener);
      signal.addEventListener("abort", () => listeners.delete(listener));
    },
  };
}
