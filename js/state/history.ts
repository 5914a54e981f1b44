/**
 * The steps that this page can undo by itself, in the frame of the click or without a kernel.
 * Python keeps the history that counts; this history is a preview of it.
 */
import { cells, sortedRuns } from "../wire/cell-runs";
import type { Runs } from "../wire/schema";
import type { SetBack } from "./reduce";

/** What a step does: the cells that it masks and frees, and the values that it sets. */
export interface Step extends SetBack {
  readonly on?: Runs;
  readonly off?: Runs;
}

/** A step and its way back; pairs of one stroke undo together. */
export interface Pair {
  readonly stroke: number;
  readonly step: Step;
  readonly back: Step;
}

type Painted = Step & { readonly on: Runs; readonly off: Runs };

const LIMIT = 100;

export interface History {
  push(pair: Pair): void;
  /** Go back a stroke; what that does. Older than this page, it does nothing: only Python knows it. */
  undo(): Painted;
  redo(): Painted;
  reset(): void;
  readonly depth: [number, number];
  /** A number that grows with each stroke, and with each move to other steps. */
  readonly edit: number;
}

export function createHistory(): History {
  // An entry is a stroke: the steps of one drag, in order.
  let past: Pair[][] = [];
  let future: Pair[][] = [];
  let edit = 0;
  return {
    push(pair) {
      future = [];
      const last = past[past.length - 1];
      if (last?.[0] && last[0].stroke === pair.stroke) last.push(pair);
      else {
        past.push([pair]);
        edit++;
      }
      if (past.length > LIMIT) past = past.slice(-LIMIT);
    },
    undo() {
      edit++;
      const entry = past.pop() ?? [];
      if (entry.length) future.push(entry);
      return merged([...entry].reverse().map((pair) => pair.back));
    },
    redo() {
      edit++;
      const entry = future.pop() ?? [];
      if (entry.length) past.push(entry);
      return merged(entry.map((pair) => pair.step));
    },
    reset() {
      edit++;
      past = [];
      future = [];
    },
    get edit() {
      return edit;
    },
    get depth(): [number, number] {
      return [past.length, future.length];
    },
  };
}

/** Several steps as one: of each cell and each value, the last step counts. */
function merged(steps: readonly Step[]): Painted {
  // A preset is a single step of up to n² cells, which are not listed one by one.
  if (steps.length === 1) return { on: [], off: [], ...steps[0] };
  const masked = new Map<number, boolean>();
  for (const { on = [], off = [] } of steps) {
    for (const cell of cells(on)) masked.set(cell, true);
    for (const cell of cells(off)) masked.set(cell, false);
  }
  const runs = (value: boolean) =>
    sortedRuns([...masked.keys()].filter((cell) => masked.get(cell) === value));
  return { ...Object.assign({}, ...steps), on: runs(true), off: runs(false) };
}
