/** The browser's mirror of the widget: the only module that touches the anywidget model. */
import type { AnyModel } from "@anywidget/types";
import { mistakenFlow } from "../maths/mistaken";
import type { Matrix } from "../wire/codec";
import type { Editable, LayerInfo, Presets, Setting, Traits } from "../wire/schema";
import { createDerived } from "./derived";
import { createEdits } from "./edits";
import { ARRAYS, type ArrayName, createMirror, EDITABLE } from "./mirror";
import { createQuestions } from "./questions";
import { createWaiting, NotSaved } from "./waiting";

const STATES = [
  "tokens", "key_tokens", "scale", "temperature", "d_model", "d_k", "d_v", "n_heads", "seed", "init",
  "positional", "given", "overridden", "presets", "layers", "layer", "head", "view", "cmap", "color_scale",
  "quantity", "mistake", "report", "selection", "title", "subtitle", "notice", "error", "shown", "kind", "softcap", "bertviz_views",
  "derived_layers", "special", "sentence_b_start", "merge", "hide_special",
  "revision", "history",
] as const; // biome-ignore format: a table
/** What a page may set; the rest is Python's. */
export type Settable =
  | "kind" | "merge" | "hide_special" | "layer" | "head" | "view" | "color_scale" | "quantity" | "report" | "selection"
  | "error"; // biome-ignore format: a table

/** What changed since the last call: shapes or tokens, numbers of rows, numbers of inputs, traits. */
export interface Change {
  all: boolean;
  rows: ReadonlySet<number>;
  inputs: boolean;
  names: ReadonlySet<string>;
}

/** What a page computes with at once: everything else that is set needs Python. */
const COMPUTED_HERE: readonly Setting[] = ["scale", "temperature"];

export type Store = ReturnType<typeof createStore>;

export function createStore(model: AnyModel<Traits>, signal: AbortSignal) {
  const listeners = new Set<(change: Change) => void>();
  const mirror = createMirror(model);
  const { nQ, nK, stack, headIndex } = mirror;
  const shapes = new Map<ArrayName, string>();
  const dirty = { all: false, rows: new Set<number>(), inputs: false, names: new Set<string>() };
  const questions = createQuestions(
    model,
    () => waiting,
    () => `${edits.client}:${edits.nextSeq()}`,
  );
  let queued = false;
  let refusal = "";
  const edits = createEdits(mirror, {
    rows(rows) {
      for (const row of rows) dirty.rows.add(row);
    },
    inputs: allRows,
    named: (trait) => dirty.names.add(trait),
    flush,
    send(value) {
      refusal = "";
      model.set("_commands", value);
      save();
    },
    resync: () => waiting.live && model.send({ type: "resync" }),
  });
  const { flat } = edits;
  const { derived, once, canClear, forget } = createDerived({ ...mirror, flat });
  /** A trait as Python has said; a factor of the scores as it is shown. */
  function get<K extends keyof Traits>(name: K): Traits[K] {
    const { scale, temperature } = edits.shown;
    const factors: Partial<Traits> = { scale, temperature };
    return name in factors ? (factors[name] as Traits[K]) : mirror.get(name);
  }

  const shown = () => {
    const [layer, head, kind] = get("shown");
    // Stacked heads are all here: the one that is picked is the one that is shown.
    return { layer, head: stack() > 1 ? get("head") : head, kind };
  };
  const isComputing = () => {
    const { layer, head, kind } = shown();
    return layer !== get("layer") || head !== get("head") || kind !== get("kind");
  };
  const isWaiting = () => edits.pending > 0 || questions.size > 0 || isComputing();
  const waiting = createWaiting(
    model as AnyModel<never>,
    isWaiting,
    () => {
      if (waiting.live) save();
      else questions.end();
      dirty.names.add("waiting");
      enqueue();
    },
    signal,
  );

  /** Send what is set; where there is no Python it stays in the model until there is. */
  function save() {
    if (!waiting.live) return;
    model.save_changes();
    waiting.asked();
  }
  // Steps older than this page are Python's to take back.
  const canUndo = () => edits.depth[0] > 0 || (waiting.live && get("history")[0] > 0);
  const canRedo = () => edits.depth[1] > 0 || (waiting.live && get("history")[1] > 0);

  /** Say that Python is needed, and show what is here again: the pickers go back to it. */
  function refuse(what: string) {
    refusal = new NotSaved(what).message;
    dirty.names.add("waiting");
    flush();
  }
  /** What the choice is called, where this page lacks its numbers; null where it has them. */
  function elsewhere(name: Settable, value: unknown): string | null {
    const { layer, head, kind } = shown();
    if (name === "layer") return value === layer ? null : `layer ${value}`;
    if (name === "head") return value === head || stack() > 1 ? null : `head ${value}`;
    if (name === "kind") return value === kind ? null : `the stack “${value}”`;
    return name === "merge" || name === "hide_special" ? "This" : null;
  }

  function flush() {
    queued = false;
    const isAnswer = edits.refresh() || dirty.names.has("shown");
    const { all, inputs } = dirty;
    const change = { all, inputs, rows: new Set(dirty.rows), names: new Set(dirty.names) };
    dirty.all = dirty.inputs = false;
    dirty.rows.clear();
    dirty.names.clear();
    if (isAnswer) waiting.answered();
    else waiting.rest();
    forget(all || inputs ? null : change.rows, change.names.has("report"));
    for (const listener of [...listeners]) listener(change);
  }
  // One update message sets many traits one after the other: listeners hear of it once, when all are in.
  function enqueue() {
    if (queued) return;
    queued = true;
    queueMicrotask(() => queued && flush());
  }

  function listen<K extends keyof Traits>(name: K, handler: () => void) {
    const event = `change:${name}` as const;
    model.on(event, handler);
    signal.addEventListener("abort", () => model.off(event, handler));
  }
  for (const name of ARRAYS) {
    shapes.set(name, String(mirror.packed(name)?.shape));
    listen(name, () => {
      mirror.forget(name);
      const shape = String(mirror.packed(name)?.shape);
      // Other numbers of the same shape are painted where the old ones were.
      if (shape !== shapes.get(name)) dirty.all = true;
      else allRows();
      shapes.set(name, shape);
      edits.renew(true);
      if (name === "mask") edits.dropOfOtherShape();
      enqueue();
    });
  }
  for (const name of STATES) {
    listen(name, () => {
      dirty.names.add(name);
      if (name === "tokens" || name === "key_tokens") dirty.all = true;
      if (name === "head" && stack() > 1) allRows();
      edits.renew(false);
      enqueue();
    });
  }
  // Its rows are taken at once, because whole arrays of a later message would be newer than they are.
  listen("_change", () => {
    const change = get("_change");
    if (change) edits.receive(change);
    enqueue();
  });

  function allRows() {
    dirty.inputs = true;
    for (let q = 0; q < nQ(); q++) dirty.rows.add(q);
  }

  /** One head of an array as it is shown; of an array without heads, all of it. */
  function matrix(name: ArrayName, head = headIndex()): Matrix | null {
    const data = flat(name) as Float32Array | null;
    const shape = mirror.packed(name)?.shape;
    if (!data || !shape) return null;
    const [rows, cols] = shape.slice(-2) as [number, number];
    const at = shape.length > 2 ? head * rows * cols : 0;
    return { data: data.subarray(at, at + rows * cols), rows, cols };
  }

  return {
    get,
    get nQ() {
      return nQ();
    },
    get nK() {
      return nK();
    },
    get nHeads() {
      return this.layers.find((l) => l.index === shown().layer)?.n_heads ?? stack();
    },
    /** The layer, head and stack that the arrays belong to: what is picked may not be here yet. */
    get shown() {
      return shown();
    },
    /** Whether a layer, head or stack is picked that Python has not sent yet. */
    get computing() {
      return waiting.live && isComputing();
    },
    /** Whether there is a Python that answers this page. */
    get live() {
      return waiting.live;
    },
    /** Whether Python has been asked and has said nothing for some seconds. */
    get late() {
      return waiting.late;
    },
    /** Why the last choice was not taken; empty where it was. */
    get refusal() {
      // Python says the refusal of an edit in `error` too.
      return refusal || (get("error") ? "" : edits.refusal);
    },
    /** The layers of the stack shown. */
    get layers(): LayerInfo[] {
      const every = [...get("layers"), ...get("derived_layers")];
      const { kind } = shown();
      return every.filter((layer) => layer.kind === kind);
    },
    /** Heads whose maps are all on the page: 1 where they come one at a time. */
    get stacked() {
      return stack();
    },
    get tokens() {
      return get("tokens");
    },
    get keyTokens() {
      return get("key_tokens") ?? get("tokens");
    },
    get scale() {
      return mirror.scale(edits.shown.scale);
    },
    /** (nQ, nK), 1 = masked. */
    get mask() {
      return flat("mask") as Uint8Array;
    },
    /** Cells that the model itself masks: shown, never changed. */
    get locked() {
      return flat("locked") as Uint8Array | null;
    },
    /** What a row of given weights sums to; 1 where softmax made it. */
    rowMass: (q: number) => (flat("row_mass") as Float32Array | null)?.[q] ?? 1,
    get attention(): Matrix {
      return matrix("attention") as Matrix;
    },
    /** One head's matrix, of the shown head where none is named; null where there is none. */
    matrix,
    /** ‖v W_O‖ of each key; null where W_O isn't known. */
    get outputNorms() {
      return flat("output_norms") as Float32Array | null;
    },
    /** Whether a query, or a key, is a special token: [CLS], padding. */
    isSpecial: (side: "query" | "key", i: number) =>
      (side === "query" || get("key_tokens") === null) && get("special")[i] === true,
    /** Whether the scores are a model's own: those of given weights are their logarithms. */
    get hasScores() {
      return flat("row_mass") === null;
    },
    /** Attention and output as a mistake that is switched on makes them; null without one. */
    get mistaken(): { name: string; attention: Matrix; output: Matrix } | null {
      return once("mistaken", () => mistakenFlow(get("report"), matrix("V")));
    },
    /** A map (n_q, n_k) that is computed here by rows: all of it, or the row that is read. */
    derived,
    /** What follows from the arrays of the shown head, computed once until they change. */
    once,
    /** Whether a cell is masked that can be freed. */
    get canClear() {
      return canClear();
    },
    get presets(): Presets {
      return edits.shown.presets;
    },
    /** Edits that Python has not answered yet. */
    get pending() {
      return edits.pending;
    },
    get canUndo() {
      return canUndo();
    },
    get canRedo() {
      return canRedo();
    },

    subscribe(listener: (change: Change) => void, until: AbortSignal) {
      listeners.add(listener);
      until.addEventListener("abort", () => listeners.delete(listener));
    },
    /** False where the choice is not taken because this page lacks its numbers and has no Python. */
    set<K extends Settable>(name: K, value: Traits[K]): boolean {
      const what = elsewhere(name, value);
      if (what && !waiting.live) {
        refuse(what);
        return false;
      }
      refusal = "";
      model.set(name, value);
      // What a view asks Python for because of it goes first: the new state is long.
      if (queued) flush();
      save();
      return true;
    },
    /** A number for a new stroke: edits that carry the same number undo together. */
    stroke: edits.stroke,
    /** Mask or free cells (flat indices); locked cells stay. Painted before this returns. */
    paint: edits.paint,
    /** Put other presets in place of those in force; what was masked or freed by hand stays so. */
    setPresets: edits.setPresets,
    /** Free every cell, of presets and by hand. */
    clear: edits.clear,
    /** Show a number in place of another, with all that follows, until it is settled or abandoned. */
    draft(name: Editable, row: number, col: number, value: number) {
      edits.draft(name, mirror.index(name, headIndex(), row, col), value);
    },
    settle: edits.settle,
    abandon: edits.abandon,
    get drafting() {
      return edits.drafting;
    },
    /** Whether a number of the shown head was set by hand. */
    isByHand: (name: Editable, row: number, col: number) =>
      edits.isByHand(name, mirror.index(name, headIndex(), row, col)),
    anyByHandIn: edits.anyByHand,
    get anyByHand(): boolean {
      return EDITABLE.some(edits.anyByHand);
    },
    undo: () => canUndo() && edits.undo(),
    redo: () => canRedo() && edits.redo(),
    reset: () => (waiting.live ? edits.reset() : refuse("This")),
    ask(name: Setting, value: string | number | null) {
      if (waiting.live || COMPUTED_HERE.includes(name)) edits.ask(name, value);
      else refuse("This");
    },
    /** Whether a setting waits for Python's answer. */
    get asking() {
      return waiting.live && edits.asking;
    },
    /** Ask Python for what is too large for a trait. */
    request: questions.ask,
  };
}
