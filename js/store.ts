/** The browser's mirror of the widget: the only module that touches the anywidget model. */
import type { AnyModel } from "@anywidget/types";
import type { Matrix } from "./codec";
import { changed, follow, rescore } from "./flow";
import { createHistory, type Step } from "./history";
import { ARRAYS, type ArrayName, createMirror } from "./mirror";
import { hides } from "./presets";
import { copyRows, recomputeRows, writeMask } from "./rows";
import { cells, toRuns } from "./runs";
import { createShiftMap } from "./shift";
import type { CellValue, Editable, Op, Patch, Presets, Traits } from "./types";

const STATES = [
  "tokens", "key_tokens", "scale", "temperature", "d_model", "d_k", "d_v", "n_heads", "seed", "init",
  "positional", "overridden", "presets", "layers", "layer", "head", "view", "cmap", "color_scale",
  "quantity", "mistake", "report", "selection", "title", "subtitle", "notice", "error", "shown",
  "revision", "history",
] as const; // biome-ignore format: a table
/** What a page may set; the rest is Python's. */
export type Settable =
  | "tokens" | "key_tokens" | "d_model" | "d_k" | "d_v" | "n_heads" | "seed" | "init" | "positional"
  | "layer" | "head" | "view" | "color_scale" | "quantity" | "mistake" | "report" | "selection"
  | "error"; // biome-ignore format: a table

/** What changed since the last call: shapes or tokens, numbers of rows, numbers of inputs, traits. */
export interface Change {
  all: boolean;
  rows: ReadonlySet<number>;
  inputs: boolean;
  names: ReadonlySet<string>;
}

export type Store = ReturnType<typeof createStore>;

export function createStore(model: AnyModel<Traits>, signal: AbortSignal) {
  const listeners = new Set<(change: Change) => void>();
  const mirror = createMirror(model);
  const { get, flat, nQ, nK, stack, headIndex } = mirror;
  const history = createHistory();
  const shifts = createShiftMap();
  const client = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const shapes = new Map<ArrayName, string>();
  const dirty = { all: false, rows: new Set<number>(), inputs: false, names: new Set<string>() };
  const patches: Patch[] = [];
  let pending: Op[] = [];
  let seq = 0;
  let strokes = 0;
  let queued = false;
  let renewed = false;
  /** What Python has not confirmed yet: shown in place of its traits. */
  let presets: Presets | null = null;
  const byHand = new Map<Editable, Set<number>>();
  let draft: { cell: CellValue; before: Map<Editable, Float32Array> } | null = null;

  function flush() {
    queued = false;
    for (const patch of patches.splice(0)) receive(patch);
    // What Python has not seen yet goes on top of what it sent.
    if (renewed) {
      pending.forEach(redraw);
      if (draft) write(draft.cell);
    }
    renewed = false;
    const { all, inputs } = dirty;
    const change = { all, inputs, rows: new Set(dirty.rows), names: new Set(dirty.names) };
    dirty.all = dirty.inputs = false;
    dirty.rows.clear();
    dirty.names.clear();
    shifts.forget(change.all || change.inputs ? null : change.rows);
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
      renewed = true;
      if (name === "mask") {
        pending = pending.filter((op) => op.shape[0] === nQ() && op.shape[1] === nK());
      }
      enqueue();
    });
  }
  for (const name of STATES) {
    listen(name, () => {
      dirty.names.add(name);
      if (name === "tokens" || name === "key_tokens") dirty.all = true;
      if (name === "head" && stack() > 1) allRows();
      if (name === "overridden") byHand.clear();
      enqueue();
    });
  }
  // Taken in when the whole message is: the arrays beside it may be new.
  listen("_patch", () => {
    const patch = get("_patch");
    if (patch) patches.push(patch);
    enqueue();
  });

  function allRows() {
    dirty.inputs = true;
    for (let q = 0; q < nQ(); q++) dirty.rows.add(q);
  }

  /** Write a step into the mask and recompute its rows, or a number and all that follows. */
  function redraw(step: Pick<Op, "on" | "off" | "cell">) {
    if (step.cell) write(step.cell);
    const rows = writeMask(flat("mask") as Uint8Array, step, nK());
    recomputeRows(mirror.flow(), rows);
    for (const row of rows) dirty.rows.add(row);
  }

  function write({ name, at, value, shape }: CellValue) {
    if (String(shape) !== String(mirror.packed(name)?.shape)) return;
    const index = at.reduce((sum, i, axis) => sum * (shape[axis] as number) + i, 0);
    (flat(name) as Float32Array)[index] = value;
    mark(name, index);
    follow(mirror.flow(), name);
    allRows();
  }

  function mark(name: Editable, index: number) {
    if (!byHand.has(name)) byHand.set(name, new Set());
    byHand.get(name)?.add(index);
  }

  /** Tell Python, now: with all that it has not answered yet. */
  function send(op: Omit<Op, "seq" | "shape">) {
    pending.push({ seq: ++seq, ...op, shape: [nQ(), nK()] });
    model.set("_edits", { client, ops: [...pending] });
    model.save_changes();
    flush();
  }

  /** Answer a step here and now, and tell Python. */
  function apply(step: Step, move?: "undo" | "redo") {
    const { inputs, ...rest } = step;
    if (step.presets) presets = step.presets;
    redraw(rest);
    if (inputs) restore(inputs);
    if (step.presets) dirty.names.add("presets");
    send({ ...rest, ...(move && { move }) });
  }

  /** Put inputs back as they were, and all that follows from them. */
  function restore(inputs: ReadonlyMap<Editable, Float32Array>) {
    for (const [name, values] of inputs) (flat(name) as Float32Array).set(values);
    rescore(mirror.flow());
    recomputeRows(mirror.flow(), Array(nQ()).keys());
    byHand.clear();
    allRows();
  }

  /** Python's rows replace ours; what it has not seen yet goes on top again. */
  function receive(patch: Patch) {
    const acked = patch.acks[client] ?? 0;
    pending = pending.filter((op) => op.seq > acked);
    if (!pending.some((op) => op.presets)) presets = null;
    if (patch.origin !== client) history.reset();
    // A patch for a map that has changed its shape since is stale: the whole arrays are on their way.
    const rows = copyRows(mirror.flow(), patch);
    for (const row of rows) dirty.rows.add(row);
    if (rows.length) pending.forEach(redraw);
  }

  /** Set cells of the mask as `wanted` says, those that are not locked and not so already. */
  function change(
    list: Iterable<number>,
    wanted: (cell: number) => boolean,
    stroke: number,
    named?: Presets,
  ) {
    const mask = flat("mask") as Uint8Array;
    const locked = flat("locked");
    const on: number[] = [];
    const off: number[] = [];
    for (const cell of list) {
      const masked = wanted(cell);
      if (locked?.[cell] || Boolean(mask[cell]) === masked) continue;
      (masked ? on : off).push(cell);
    }
    if (on.length + off.length === 0 && !named) return;
    const ascending = (a: number, b: number) => a - b;
    const [hide, free] = [on, off].map((list) => toRuns(list.sort(ascending))) as [
      Op["on"],
      Op["on"],
    ];
    const step = { stroke, on: hide, off: free };
    history.push({
      step: { ...step, ...(named && { presets: named }) },
      back: { stroke, on: free, off: hide, ...(named && { presets: inForce() }) },
    });
    apply({ ...step, ...(named && { presets: named }) });
  }

  const inForce = () => presets ?? get("presets");

  function travel(move: "undo" | "redo") {
    const steps = history[move]();
    // Older than this page, if there is none: only Python knows it.
    const stroke = ++strokes;
    const merged = new Map<number, boolean>();
    let last: Partial<Step> = {};
    for (const { on, off, presets: named, inputs } of steps) {
      for (const cell of cells(on)) merged.set(cell, true);
      for (const cell of cells(off)) merged.set(cell, false);
      last = { ...last, ...(named && { presets: named }), ...(inputs && { inputs }) };
    }
    const pick = (value: boolean) =>
      toRuns(
        [...merged]
          .filter(([, v]) => v === value)
          .map(([c]) => c)
          .sort((a, b) => a - b),
      );
    apply({ ...last, stroke, on: pick(true), off: pick(false) }, move);
  }

  const copies = (names: readonly Editable[]) =>
    new Map(names.map((name) => [name, (flat(name) as Float32Array).slice()] as const));
  const matrix = (name: ArrayName, head = headIndex()) => mirror.matrix(name, head);

  return {
    get,
    get nQ() {
      return nQ();
    },
    get nK() {
      return nK();
    },
    get nHeads() {
      return get("layers").find((l) => l.index === get("layer"))?.n_heads ?? stack();
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
      return mirror.scale();
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
    /** How far masking each cell would move its query's output; null without values. */
    get shift(): Matrix | null {
      const [V, output] = [matrix("V"), matrix("output")];
      const [scores, attention] = [matrix("scores") as Matrix, matrix("attention") as Matrix];
      if (!V || !output) return null;
      const mask = flat("mask") as Uint8Array;
      const temperature = get("temperature");
      return shifts.of({ V, output, scores, attention, mask, temperature }, headIndex());
    },
    get presets(): Presets {
      return inForce();
    },
    /** Edits that Python has not answered yet. */
    get pending() {
      return pending.length;
    },
    get canUndo() {
      return history.depth[0] > 0 || get("history")[0] > 0;
    },
    get canRedo() {
      return history.depth[1] > 0 || get("history")[1] > 0;
    },

    subscribe(listener: (change: Change) => void, until: AbortSignal) {
      listeners.add(listener);
      until.addEventListener("abort", () => listeners.delete(listener));
    },
    set<K extends Settable>(name: K, value: Traits[K]) {
      model.set(name, value);
      model.save_changes();
    },
    /** Set a factor of the scores: seen at once, computed here until Python's answer is there. */
    live(name: "scale" | "temperature", value: number | null) {
      model.set(name, value as number);
      model.save_changes();
      if (name === "scale") rescore(mirror.flow());
      recomputeRows(mirror.flow(), Array(nQ()).keys());
      allRows();
      flush();
    },
    /** A number for a new stroke: edits that carry the same number undo together. */
    stroke: () => ++strokes,
    /** Mask or free cells (flat indices); locked cells stay. Painted before this returns. */
    paint(list: Iterable<number>, masked: boolean, stroke: number) {
      change(list, () => masked, stroke);
    },
    /** Put other presets in place of those in force; what was masked or freed by hand stays so. */
    setPresets(next: Presets) {
      const k = nK();
      const [queries, keys] = [get("tokens"), get("key_tokens") ?? get("tokens")];
      const [old, now] = [hides(inForce(), queries, keys), hides(next, queries, keys)];
      const mask = flat("mask") as Uint8Array;
      const wanted = (cell: number) => {
        const [q, key] = [Math.floor(cell / k), cell % k];
        const was = old(q, key);
        return Boolean(mask[cell]) === was ? now(q, key) : !was;
      };
      change(Array(nQ() * k).keys(), wanted, ++strokes, next);
    },
    /** Free every cell, of presets and by hand. */
    clear() {
      change(Array(nQ() * nK()).keys(), () => false, ++strokes, {});
    },
    /** Show a number in place of another, with all that follows, until it is settled or abandoned. */
    draft(name: Editable, row: number, col: number, value: number) {
      const at = mirror.index(name, headIndex(), row, col);
      const before = draft?.before ?? copies(changed(mirror.flow(), name));
      draft = { cell: { name, at, value, shape: mirror.packed(name)?.shape ?? [] }, before };
      write(draft.cell);
      flush();
    },
    settle() {
      if (!draft) return;
      const { cell, before } = draft;
      draft = null;
      const stroke = ++strokes;
      const empty = { stroke, on: [], off: [] };
      history.push({
        step: { ...empty, inputs: copies([...before.keys()]) },
        back: { ...empty, inputs: before },
      });
      send({ ...empty, cell });
    },
    abandon() {
      if (!draft) return;
      restore(draft.before);
      draft = null;
      flush();
    },
    /** Whether a number of the shown head was set by hand. */
    isByHand(name: Editable, row: number, col: number): boolean {
      const shape = mirror.packed(name)?.shape ?? [];
      const at = mirror.index(name, headIndex(), row, col);
      const index = at.reduce((sum, i, axis) => sum * (shape[axis] as number) + i, 0);
      const runs = get("overridden")?.[name] ?? [];
      for (let i = 0; i < runs.length; i += 2) {
        const start = runs[i] as number;
        if (index >= start && index < start + (runs[i + 1] as number)) return true;
      }
      return byHand.get(name)?.has(index) ?? false;
    },
    get drafting(): boolean {
      return draft !== null;
    },
    anyByHandIn(name: Editable): boolean {
      return Boolean(byHand.get(name)?.size || get("overridden")?.[name]?.length);
    },
    get anyByHand(): boolean {
      return byHand.size > 0 || Object.keys(get("overridden") ?? {}).length > 0;
    },
    undo: () => travel("undo"),
    redo: () => travel("redo"),
    /** Take back every number set by hand: Python knows what they were. */
    reset: () => send({ stroke: ++strokes, on: [], off: [], move: "reset" }),
    /** A question that Python answers with a message; used for documents too large for a trait. */
    request(
      content: object,
      until: AbortSignal,
    ): Promise<{ content: unknown; buffers: DataView[] }> {
      const id = `${client}:${++seq}`;
      return new Promise((resolve, reject) => {
        const done = () => model.off("msg:custom", handler);
        const handler = (reply: { id?: string; error?: string }, buffers: DataView[]) => {
          if (reply?.id !== id) return;
          done();
          if (reply.error) reject(new Error(reply.error));
          else resolve({ content: reply, buffers });
        };
        model.on("msg:custom", handler);
        until.addEventListener("abort", done);
        model.send({ ...content, id });
      });
    },
  };
}
