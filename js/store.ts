/** The browser's mirror of the widget: the only module that touches the anywidget model. */
import type { AnyModel } from "@anywidget/types";
import { decode, type Flat, type Matrix, matrix } from "./codec";
import { createHistory, type Step } from "./history";
import { hides, type Preset } from "./presets";
import { copyRows, type Maps, recomputeRows, writeMask } from "./rows";
import { cells, toRuns } from "./runs";
import type { Op, Packed, Patch, Traits } from "./types";

const ARRAYS = ["Q", "K", "V", "scores", "mask", "locked", "attention", "output"] as const;
const STATES = [
  "tokens", "scale", "layers", "layer", "head", "view", "cmap", "color_scale", "selection",
  "title", "subtitle", "notice", "error", "shown", "revision", "history",
] as const; // biome-ignore format: a table

/** What changed since the last call: everything, or these rows of the map, and these traits. */
export interface Change {
  all: boolean;
  rows: ReadonlySet<number>;
  names: ReadonlySet<string>;
}

export type Store = ReturnType<typeof createStore>;

export function createStore(model: AnyModel<Traits>, signal: AbortSignal) {
  const listeners = new Set<(change: Change) => void>();
  const history = createHistory();
  const client = crypto.getRandomValues(new Uint32Array(2)).join("-");
  let pending: Op[] = [];
  let seq = 0;
  let strokes = 0;
  const decoded = new Map<string, Flat | null>();
  const dirty = { all: false, rows: new Set<number>(), names: new Set<string>() };
  const patches: Patch[] = [];
  let queued = false;

  const get = <K extends keyof Traits>(name: K): Traits[K] => model.get(name);
  const packed = (name: (typeof ARRAYS)[number]) => get(name) as Packed;
  const flat = (name: (typeof ARRAYS)[number]): Flat | null => {
    if (!decoded.has(name)) {
      const value = get(name) as Packed | null;
      decoded.set(name, value && decode(value));
    }
    return decoded.get(name) as Flat | null;
  };
  const nQ = () => packed("mask").shape[0] as number;
  const nK = () => packed("mask").shape[1] as number;
  const stack = () => {
    const shape = packed("scores").shape;
    return shape.length > 2 ? (shape[0] as number) : 1;
  };
  const headIndex = () => (stack() > 1 ? get("head") : 0);

  const maps = (): Maps => ({
    n: nQ(),
    nK: nK(),
    heads: stack(),
    d: packed("V").shape.at(-1) as number,
    mask: flat("mask") as Uint8Array,
    scores: flat("scores") as Float32Array,
    V: flat("V") as Float32Array,
    attention: flat("attention") as Float32Array,
    output: flat("output") as Float32Array,
  });

  function flush() {
    queued = false;
    const renewed = dirty.all;
    for (const patch of patches.splice(0)) receive(patch);
    // What Python has not seen yet goes on top of what it sent.
    if (renewed) pending.forEach(redraw);
    const change = { all: dirty.all, rows: new Set(dirty.rows), names: new Set(dirty.names) };
    dirty.all = false;
    dirty.rows.clear();
    dirty.names.clear();
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
    listen(name, () => {
      decoded.delete(name);
      dirty.all = true;
      if (name === "mask") {
        history.reset();
        pending = pending.filter((op) => op.shape[0] === nQ() && op.shape[1] === nK());
      }
      enqueue();
    });
  }
  for (const name of STATES) {
    listen(name, () => {
      dirty.names.add(name);
      if (name === "tokens" || (name === "head" && stack() > 1)) dirty.all = true;
      enqueue();
    });
  }
  // Taken in when the whole message is: the arrays beside it may be new.
  listen("_patch", () => {
    const patch = get("_patch");
    if (patch) patches.push(patch);
    enqueue();
  });

  /** Write a step into the mask and recompute its rows, in the model's own buffers. */
  function redraw(step: Pick<Step, "on" | "off">) {
    const rows = writeMask(flat("mask") as Uint8Array, step, nK());
    recomputeRows(maps(), rows);
    for (const row of rows) dirty.rows.add(row);
  }

  /** Answer a step here and now, and tell Python. */
  function apply(step: Step, move?: "undo" | "redo") {
    redraw(step);
    pending.push({ seq: ++seq, ...step, shape: [nQ(), nK()], ...(move && { move }) });
    model.set("_edits", { client, ops: [...pending] });
    model.save_changes();
    flush();
  }

  /** Python's rows replace ours; what it has not seen yet goes on top again. */
  function receive(patch: Patch) {
    const acked = patch.acks[client] ?? 0;
    pending = pending.filter((op) => op.seq > acked);
    if (patch.origin !== client) history.reset();
    // A patch for a map that has changed its shape since is stale: the whole arrays are on their way.
    const rows = copyRows(maps(), patch);
    for (const row of rows) dirty.rows.add(row);
    if (rows.length) pending.forEach(redraw);
  }

  /** Set cells of the mask as `wanted` says, those that are not locked and not so already. */
  function change(list: Iterable<number>, wanted: (cell: number) => boolean, stroke: number) {
    const mask = flat("mask") as Uint8Array;
    const locked = flat("locked");
    const on: number[] = [];
    const off: number[] = [];
    for (const cell of list) {
      const masked = wanted(cell);
      if (locked?.[cell] || Boolean(mask[cell]) === masked) continue;
      (masked ? on : off).push(cell);
    }
    if (on.length + off.length === 0) return;
    const ascending = (a: number, b: number) => a - b;
    const step = { stroke, on: toRuns(on.sort(ascending)), off: toRuns(off.sort(ascending)) };
    history.push(step);
    apply(step);
  }

  function travel(move: "undo" | "redo") {
    const steps = history[move]();
    if (steps.length === 0) {
      // Older than this page: only Python knows it.
      apply({ stroke: ++strokes, on: [], off: [] }, move);
      return;
    }
    const merged = new Map<number, boolean>();
    for (const step of steps) {
      for (const cell of cells(step.on)) merged.set(cell, true);
      for (const cell of cells(step.off)) merged.set(cell, false);
    }
    const pick = (value: boolean) =>
      toRuns(
        [...merged]
          .filter(([, v]) => v === value)
          .map(([c]) => c)
          .sort((a, b) => a - b),
      );
    apply({ stroke: ++strokes, on: pick(true), off: pick(false) }, move);
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
      return get("layers").find((l) => l.index === get("layer"))?.n_heads ?? stack();
    },
    get tokens() {
      return get("tokens");
    },
    get keyTokens() {
      return get("tokens");
    },
    /** (nQ, nK), 1 = masked. */
    get mask() {
      return flat("mask") as Uint8Array;
    },
    /** Cells that the model itself masks: shown, never changed. */
    get locked() {
      return flat("locked") as Uint8Array | null;
    },
    get scores(): Matrix {
      return matrix(packed("scores"), headIndex());
    },
    get attention(): Matrix {
      return matrix(packed("attention"), headIndex());
    },
    get output(): Matrix {
      return matrix(packed("output"), headIndex());
    },
    get Q(): Matrix {
      return matrix(packed("Q"), headIndex());
    },
    get K(): Matrix {
      return matrix(packed("K"), headIndex());
    },
    get V(): Matrix {
      return matrix(packed("V"), headIndex());
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
    set<K extends "layer" | "head" | "view" | "color_scale" | "selection" | "error">(
      name: K,
      value: Traits[K],
    ) {
      model.set(name, value);
      model.save_changes();
    },
    /** A number for a new stroke: edits that carry the same number undo together. */
    stroke: () => ++strokes,
    /** Mask or free cells (flat indices); locked cells stay. Painted before this returns. */
    paint(list: Iterable<number>, masked: boolean, stroke: number) {
      change(list, () => masked, stroke);
    },
    preset(name: Preset) {
      const hidden = hides(name, get("tokens"));
      const k = nK();
      const all = Array(nQ() * k).keys();
      change(all, (cell) => hidden(Math.floor(cell / k), cell % k), ++strokes);
    },
    /** Whether the mask is this preset, but for what the model itself masks. */
    isPreset(name: Preset): boolean {
      const hidden = hides(name, get("tokens"));
      const mask = flat("mask") as Uint8Array;
      const locked = flat("locked");
      const k = nK();
      return mask.every(
        (masked, cell) =>
          locked?.[cell] || Boolean(masked) === hidden(Math.floor(cell / k), cell % k),
      );
    },
    undo: () => travel("undo"),
    redo: () => travel("redo"),
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
