/** Edits made in this page: answered here and now, told to Python, taken back. */
import { changed, follow, rescore } from "../maths/flow";
import { copyRows, recomputeRows, writeMask } from "../maths/rows";
import { cells, toRuns } from "../wire/cell-runs";
import type { CellValue, Editable, Edits, Op, Patch, Presets, Setting } from "../wire/schema";
import { createHistory, type Marks, type Step } from "./history";
import type { Mirror } from "./mirror";
import { hides } from "./presets";

/** Where edits are shown and sent. */
export interface Outlet {
  /** These rows have other numbers. */
  rows(rows: Iterable<number>): void;
  /** Inputs have other numbers, and so has every row. */
  inputs(): void;
  named(trait: string): void;
  /** A factor of the scores has this value here, whatever Python still says. */
  factor(name: "scale" | "temperature", value: number | null): void;
  /** Show all of it now. */
  flush(): void;
  send(edits: Edits): void;
}

export function createEdits(mirror: Mirror, outlet: Outlet) {
  const { get, flat, nQ, nK } = mirror;
  const history = createHistory();
  const client = crypto.getRandomValues(new Uint32Array(2)).join("-");
  let pending: Op[] = [];
  let seq = 0;
  let strokes = 0;
  // What Python has not confirmed yet: shown in place of its traits.
  let presets: Presets | null = null;
  const byHand = new Map<Editable, Set<number>>();
  let draft: { cell: CellValue; before: Map<Editable, Float32Array>; hand: Marks } | null = null;

  const inForce = () => presets ?? get("presets");
  const floats = (name: Editable) => flat(name) as Float32Array;
  const copies = (names: Iterable<Editable>) =>
    new Map(Array.from(names, (name) => [name, floats(name).slice()] as const));
  const shapeOf = (name: Editable) => mirror.packed(name)?.shape ?? [];
  const flatIndex = (at: readonly number[], shape: readonly number[]) =>
    at.reduce((sum, i, axis) => sum * (shape[axis] as number) + i, 0);

  /** Scale and temperature as they were set last, over what an older answer says. */
  function setFactor({ name, value }: NonNullable<Op["setting"]>) {
    if (name !== "scale" && name !== "temperature") return;
    outlet.factor(name, value as number | null);
    if (name === "scale") rescore(mirror.flow());
    recomputeRows(mirror.flow(), Array(nQ()).keys());
    outlet.inputs();
  }

  /** Write a step into the mask and recompute its rows, or a number and all that follows. */
  function redraw(step: Pick<Op, "on" | "off" | "cell" | "setting">) {
    if (step.cell) write(step.cell);
    if (step.setting) setFactor(step.setting);
    const rows = writeMask(flat("mask") as Uint8Array, step, nK());
    recomputeRows(mirror.flow(), rows);
    outlet.rows(rows);
  }

  function write({ name, at, value, shape, shown }: CellValue) {
    if (String(shape) !== String(shapeOf(name))) return;
    if (shape.length === 2 && String(shown) !== String(get("shown"))) return;
    const index = flatIndex(at, shape);
    floats(name)[index] = value;
    if (!byHand.has(name)) byHand.set(name, new Set());
    byHand.get(name)?.add(index);
    follow(mirror.flow(), name);
    outlet.inputs();
  }

  const marks = () => new Map(Array.from(byHand, ([name, set]) => [name, new Set(set)] as const));

  /** Put inputs back as they were, marks too, and all that follows from them. */
  function restore(inputs: ReadonlyMap<Editable, Float32Array>, hand: Marks) {
    for (const [name, values] of inputs) floats(name).set(values);
    rescore(mirror.flow());
    recomputeRows(mirror.flow(), Array(nQ()).keys());
    byHand.clear();
    for (const [name, set] of hand) byHand.set(name, new Set(set));
    outlet.inputs();
  }

  /** Tell Python, with all that it has not answered yet: a lost message costs nothing. */
  function send(op: Omit<Op, "seq" | "shape">) {
    pending.push({ seq: ++seq, ...op, shape: [nQ(), nK()] });
    outlet.send({ client, ops: [...pending] });
    outlet.flush();
  }

  /** Answer a step here and now, and tell Python. */
  function apply({ inputs, hand, ...step }: Step, move?: "undo" | "redo") {
    redraw(step);
    if (inputs) restore(inputs, hand ?? new Map());
    if (step.presets) {
      presets = step.presets;
      outlet.named("presets");
    }
    send({ ...step, ...(move && { move }) });
  }

  /** Set cells of the mask as `wanted` says, those that are not locked and not so already. */
  function mask(
    list: Iterable<number>,
    wanted: (cell: number) => boolean,
    stroke: number,
    named?: Presets,
  ) {
    const now = flat("mask") as Uint8Array;
    const locked = flat("locked");
    const on: number[] = [];
    const off: number[] = [];
    for (const cell of list) {
      const masked = wanted(cell);
      if (locked?.[cell] || Boolean(now[cell]) === masked) continue;
      (masked ? on : off).push(cell);
    }
    if (on.length + off.length === 0 && !named) return;
    const [hide, free] = [sorted(on), sorted(off)];
    const step = { stroke, on: hide, off: free, ...(named && { presets: named }) };
    const back = { stroke, on: free, off: hide, ...(named && { presets: inForce() }) };
    history.push({ step, back });
    apply(step);
  }

  function travel(move: "undo" | "redo") {
    // Older than this page, if there is no step: only Python knows it.
    const merged = new Map<number, boolean>();
    let last: Partial<Step> = {};
    for (const { on, off, presets: named, inputs, hand } of history[move]()) {
      for (const cell of cells(on)) merged.set(cell, true);
      for (const cell of cells(off)) merged.set(cell, false);
      last = { ...last, ...(named && { presets: named }), ...(inputs && { inputs, hand }) };
    }
    const those = (value: boolean) =>
      sorted([...merged].filter(([, masked]) => masked === value).map(([cell]) => cell));
    apply({ ...last, stroke: ++strokes, on: those(true), off: those(false) }, move);
  }

  return {
    client,
    nextSeq: () => ++seq,
    get pending() {
      return pending.length;
    },
    get asking() {
      return pending.some((op) => op.setting);
    },
    get depth() {
      return history.depth;
    },
    get presets(): Presets {
      return inForce();
    },
    get drafting(): boolean {
      return draft !== null;
    },
    /** Edits of a map of another shape are about nothing that is there. */
    dropOfOtherShape() {
      pending = pending.filter((op) => op.shape[0] === nQ() && op.shape[1] === nK());
    },
    /** Python's marks are there, or another head's numbers are. */
    forgetMarks: () => byHand.clear(),
    /** Whole arrays came from Python: what it has not seen yet goes on top. */
    reapply() {
      pending.forEach(redraw);
      if (draft) write(draft.cell);
    },
    /** Python's rows replace ours; what it has not seen yet goes on top again. */
    receive(patch: Patch) {
      const acked = patch.acks[client] ?? 0;
      pending = pending.filter((op) => op.seq > acked);
      if (!pending.some((op) => op.presets)) presets = null;
      if (patch.origin !== client) history.reset();
      // A patch for a map that has changed its shape since is stale: the whole arrays are on their way.
      const rows = copyRows(mirror.flow(), patch);
      outlet.rows(rows);
      if (rows.length) pending.forEach(redraw);
    },

    stroke: () => ++strokes,
    paint: (list: Iterable<number>, masked: boolean, stroke: number) =>
      mask(list, () => masked, stroke),
    /** Put other presets in place of those in force; what was masked or freed by hand stays so. */
    setPresets(next: Presets) {
      const k = nK();
      const [queries, keys] = [get("tokens"), get("key_tokens") ?? get("tokens")];
      const [old, now] = [hides(inForce(), queries, keys), hides(next, queries, keys)];
      const masked = flat("mask") as Uint8Array;
      const wanted = (cell: number) => {
        const [q, key] = [Math.floor(cell / k), cell % k];
        const was = old(q, key);
        return Boolean(masked[cell]) === was ? now(q, key) : !was;
      };
      mask(Array(nQ() * k).keys(), wanted, ++strokes, next);
    },
    clear: () => mask(Array(nQ() * nK()).keys(), () => false, ++strokes, {}),
    draft(name: Editable, at: number[], value: number) {
      const before = draft?.before ?? copies(changed(mirror.flow(), name));
      const hand = draft?.hand ?? marks();
      draft = {
        cell: { name, at, value, shape: shapeOf(name), shown: get("shown") },
        before,
        hand,
      };
      write(draft.cell);
      outlet.flush();
    },
    settle() {
      if (!draft) return;
      const { cell, before, hand } = draft;
      draft = null;
      const empty = { stroke: ++strokes, on: [], off: [] };
      const step = { ...empty, inputs: copies(before.keys()), hand: marks() };
      history.push({ step, back: { ...empty, inputs: before, hand } });
      send({ ...empty, cell });
    },
    abandon() {
      if (!draft) return;
      restore(draft.before, draft.hand);
      draft = null;
      outlet.flush();
    },
    isByHand(name: Editable, at: readonly number[]): boolean {
      const index = flatIndex(at, shapeOf(name));
      const runs = get("overridden")?.[name] ?? [];
      for (let i = 0; i < runs.length; i += 2) {
        const start = runs[i] as number;
        if (index >= start && index < start + (runs[i + 1] as number)) return true;
      }
      return byHand.get(name)?.has(index) ?? false;
    },
    anyByHand(name: Editable): boolean {
      return Boolean(byHand.get(name)?.size || get("overridden")?.[name]?.length);
    },
    undo: () => travel("undo"),
    redo: () => travel("redo"),
    /**
     * Set what Python computes with. The trait itself follows with Python's answer: until then the
     * numbers on the page are of the old one. A factor of the scores is computed here at once.
     */
    ask(name: Setting, value: string | number | null) {
      // The newest value is what counts: older ones on their way are not waited for.
      pending = pending.filter((op) => op.setting?.name !== name);
      const setting = { name, value };
      setFactor(setting);
      send({ stroke: ++strokes, on: [], off: [], setting });
    },
    /** Take back every number set by hand: Python knows what they were. */
    reset: () => send({ stroke: ++strokes, on: [], off: [], move: "reset" }),
  };
}

function sorted(list: number[]) {
  return toRuns(list.sort((a, b) => a - b));
}
