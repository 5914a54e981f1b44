/** The matrices as they were before the last edit. They are copies, because the arrays of the page are overwritten. */
import { largestSize } from "../maths/extent";
import type { Matrix } from "../wire/codec";
import type { createDerived } from "./derived";

/** A smaller difference is rounding, because Python and the page round differently; a share of the largest number. */
const ROUNDING = 1e-5;

/** What the numbers belong to, and which edit has made them. */
export interface Moment {
  /** The layer, head, stack and tokens. If they differ, the numbers belong to another map. */
  shown: readonly unknown[];
  /** A number that grows with each edit; the numbers of one stroke have one number. */
  edit: number;
  /** The mistake that the numbers are computed with; empty without one. */
  mistake: string;
  temperature: number;
}

/** Rows of the maps; null for all numbers of all matrices. */
export type Rows = ReadonlySet<number> | null;

interface Parts<Name extends string> {
  names: readonly Name[];
  /** The matrices of which a masked cell changes one row. */
  byRow: readonly Name[];
  read(name: Name): Matrix | null;
  now(): Moment;
  /** What is computed of the matrices before the edit, kept until they change. */
  cache: Pick<ReturnType<typeof createDerived>, "derived" | "once" | "forget">;
}

export function createBefore<Name extends string>(parts: Parts<Name>) {
  const { names, byRow, read, now, cache } = parts;
  type Matrices = Map<Name, Matrix>;
  let before: Matrices = new Map();
  /** The numbers when they were last compared; null until a view watches. */
  let latest: Matrices | null = null;
  /** The rows of the maps that the last edit may have changed; only in these rows `before` and `latest` differ. */
  let rows: Rows = null;
  let moment: Moment | null = null;
  /** The moment of the numbers before the last edit. */
  let former: Moment | null = null;
  let edits = 0;
  let watchers = 0;

  /** Copies of all matrices, in the memory of `old` where it has the same size. */
  function copies(old: Matrices | null, source: (name: Name) => Matrix | null | undefined) {
    const copied: Matrices = new Map();
    for (const name of names) {
      const drawn = source(name);
      if (!drawn) continue;
      const kept = old?.get(name)?.data;
      const data = kept?.length === drawn.data.length ? kept : drawn.data.slice();
      if (data === kept) data.set(drawn.data);
      copied.set(name, { data, rows: drawn.rows, cols: drawn.cols });
    }
    return copied;
  }

  /** Copy these rows of the maps, because copies of whole maps of many tokens take longer than a frame. */
  function copyRows(
    to: Matrices,
    source: (name: Name) => Matrix | null | undefined,
    some: ReadonlySet<number>,
  ) {
    for (const name of byRow) {
      const [target, from] = [to.get(name), source(name)];
      if (!target || !from) continue;
      const { cols } = from;
      for (const row of some) {
        const at = row * cols;
        target.data.set(from.data.subarray(at, at + cols), at);
      }
    }
  }

  /** Take the numbers of another map; no numbers were before them. */
  function restart(next: Moment) {
    before = new Map();
    former = null;
    latest = copies(latest, read);
    moment = next;
    cache.forget(null, true);
  }

  /** Compare the numbers with those of the last call; in `changed` are the rows that may differ. */
  function compare(changed: Rows) {
    if (!latest || !moment || watchers === 0) return;
    const next = now();
    const { shown } = moment;
    if (next.shown.some((value, i) => value !== shown[i])) return restart(next);
    const old = latest;
    const isOther = (name: Name) => differs(old.get(name) ?? null, read(name), changed);
    if (!(changed ? byRow : names).some(isOther)) return;
    // A draft that is abandoned goes back to the numbers before it, and is no other edit.
    const isSameEdit = edits > 0 && next.edit <= moment.edit && next.mistake === moment.mistake;
    const stale = rows;
    const spare = isSameEdit ? old : before;
    if (isSameEdit) rows = rows && changed && new Set([...rows, ...changed]);
    else {
      if (!changed) before = old;
      else if (before.size && rows) copyRows(before, (name) => old.get(name), rows);
      else before = copies(before, (name) => old.get(name));
      rows = changed;
      former = moment;
      edits++;
    }
    moment = next;
    if (changed) copyRows(old, read, changed);
    else latest = copies(spare, read);
    cache.forget(stale && changed && new Set([...stale, ...changed]), true);
  }

  return {
    /**
     * Keep the numbers until the signal ends: an edit in a view that does not show the difference
     * copies nothing. All edits of the time without a watcher count as one edit.
     */
    watch(until: AbortSignal) {
      watchers++;
      until.addEventListener("abort", () => watchers--, { once: true });
      if (latest) compare(null);
      else {
        latest = copies(null, read);
        moment = now();
      }
    },
    /** The number of edits that have changed a number. */
    get edits() {
      return edits;
    },
    /** The rows of the maps that the last edit may have changed; null for all rows. */
    get rows() {
      return rows;
    },
    /** The moment of the numbers before the last edit; null where there are none. */
    get moment() {
      return former;
    },
    /** The matrix before the last edit; null where there is none of this size. */
    matrix(name: Name): Matrix | null {
      const [old, drawn] = [before.get(name), read(name)];
      return old && drawn && isSameSize(old, drawn) ? old : null;
    },
    derived: cache.derived,
    once: cache.once,
    compare,
  };
}

const isSameSize = (a: Matrix, b: Matrix) => a.rows === b.rows && a.cols === b.cols;

function differs(old: Matrix | null, now: Matrix | null, rows: Rows): boolean {
  if (!old || !now) return old !== now;
  if (!isSameSize(old, now)) return true;
  if (!rows) return differsBetween(old, now, 0, now.data.length);
  return [...rows].some((row) => differsBetween(old, now, row * now.cols, (row + 1) * now.cols));
}

function differsBetween(old: Matrix, now: Matrix, start: number, end: number): boolean {
  const limit = ROUNDING * largestSize(now.data.subarray(start, end));
  for (let i = start; i < end; i++) if (step(old.data[i], now.data[i], limit) !== 0) return true;
  return false;
}

/** Return the step from one number to another; 0 if rounding explains the step, or if both are NaN. */
function step(old: number, now: number, limit: number): number {
  if (Object.is(old, now)) return 0;
  const by = now - old;
  return Math.abs(by) <= limit ? 0 : by;
}

/** Write the differences of the numbers `start` to `end` into `out`. */
export function fillDifferences(
  old: Matrix,
  now: Matrix,
  out: Float32Array,
  start = 0,
  end = now.data.length,
): Float32Array {
  const limit = ROUNDING * largestSize(now.data.subarray(start, end));
  for (let i = start; i < end; i++) out[i] = step(old.data[i], now.data[i], limit);
  return out;
}
