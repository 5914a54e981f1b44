/** The matrices as they were before the last edit. They are copies, because the arrays of the page are overwritten. */
import { largestSize } from "../maths/extent";
import type { Matrix } from "../wire/codec";

/** A smaller difference is rounding, because Python and the page round differently; a share of the largest number. */
const ROUNDING = 1e-5;

/** What the numbers belong to, and which edit has made them. */
export interface Moment {
  /** The layer, head and stack: numbers of another head are no edit. */
  shown: string;
  /** A number that grows with each edit; the numbers of one stroke have one number. */
  edit: number;
  /** The mistake that the numbers are computed with; empty without one. */
  mistake: string;
}

export function createBefore<Name extends string>(
  names: readonly Name[],
  read: (name: Name) => Matrix | null,
  now: () => Moment,
) {
  type Matrices = Map<Name, Matrix>;
  let before: Matrices = new Map();
  /** The numbers when they were last compared; null until a view watches. */
  let latest: Matrices | null = null;
  let moment: Moment | null = null;
  let edits = 0;
  let watchers = 0;

  /** Copies of all matrices, in the memory of `old` where it has the same size. */
  function copies(old: Matrices | null): Matrices {
    const copied: Matrices = new Map();
    for (const name of names) {
      const drawn = read(name);
      if (!drawn) continue;
      const kept = old?.get(name)?.data;
      const data = kept?.length === drawn.data.length ? kept : new Float32Array(drawn.data.length);
      data.set(drawn.data);
      copied.set(name, { data, rows: drawn.rows, cols: drawn.cols });
    }
    return copied;
  }

  /** Compare the numbers with those of the last call. */
  function compare() {
    if (!latest || !moment || watchers === 0) return;
    const next = now();
    if (moment.shown !== next.shown) {
      before = new Map();
      latest = copies(latest);
      moment = next;
      return;
    }
    if (!names.some((name) => differs(latest?.get(name) ?? null, read(name)))) return;
    // A draft that is abandoned goes back to the numbers before it, and is no other edit.
    const isSameEdit = edits > 0 && next.edit <= moment.edit && next.mistake === moment.mistake;
    moment = next;
    // The numbers before the edit before are written over.
    const spare = isSameEdit ? latest : before;
    if (!isSameEdit) {
      before = latest;
      edits++;
    }
    latest = copies(spare);
  }

  return {
    /**
     * Keep the numbers until the signal ends: an edit in a view that does not show the difference
     * copies nothing. All edits of the time without a watcher count as one edit.
     */
    watch(until: AbortSignal) {
      watchers++;
      until.addEventListener("abort", () => watchers--, { once: true });
      if (latest) compare();
      else {
        latest = copies(null);
        moment = now();
      }
    },
    /** The number of edits that have changed a number. */
    get edits() {
      return edits;
    },
    /** The matrix before the last edit; null where there is none of this size. */
    matrix(name: Name): Matrix | null {
      const [old, drawn] = [before.get(name), read(name)];
      return old && drawn && isSameSize(old, drawn) ? old : null;
    },
    compare,
  };
}

export const isSameSize = (a: Matrix, b: Matrix) => a.rows === b.rows && a.cols === b.cols;

function differs(old: Matrix | null, now: Matrix | null): boolean {
  if (!old || !now) return old !== now;
  return !isSameSize(old, now) || nextChange(old, now, 0, rounding(now)) >= 0;
}

/** The flat indices of the numbers that differ by more than rounding. */
export function changedCells(old: Matrix, now: Matrix): number[] {
  const limit = rounding(now);
  const cells: number[] = [];
  let at = nextChange(old, now, 0, limit);
  for (; at >= 0; at = nextChange(old, now, at + 1, limit)) cells.push(at);
  return cells;
}

const rounding = ({ data }: Matrix) => ROUNDING * largestSize(data);

/** The first index from `start` on whose numbers differ by more than `limit`; -1 where none does. */
function nextChange({ data: old }: Matrix, { data: now }: Matrix, start: number, limit: number) {
  for (let i = start; i < now.length; i++) {
    if (now[i] === old[i]) continue;
    const by = Math.abs(now[i] - old[i]);
    // Two values that are not numbers do not differ.
    if (by > limit || (Number.isNaN(by) && !Object.is(now[i], old[i]))) return i;
  }
  return -1;
}
