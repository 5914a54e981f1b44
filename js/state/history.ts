/**
 * The steps that this page can undo by itself, in the frame of the click or without a kernel.
 * Python keeps the history that counts; this one is a preview of it.
 */
import type { Editable, Presets, Runs } from "../wire/schema";
import type { Factor, Marks } from "./reduce";

export interface Step {
  stroke: number;
  /** Cells of the mask that it hides and frees. */
  on: Runs;
  off: Runs;
  /** The presets in force after it. */
  presets?: Presets;
  /** The scale or the temperature that it sets. */
  factor?: Factor;
  /** The inputs that it sets, whole: arrays that are never changed in place. */
  inputs?: ReadonlyMap<Editable, Float32Array>;
  /** The cells marked as set by hand after it, beside those that Python marks. */
  hand?: Marks;
}

/** A step and its way back. */
export interface Pair {
  step: Step;
  back: Step;
}

const LIMIT = 100;

export interface History {
  push(pair: Pair): void;
  undo(): Step[];
  redo(): Step[];
  reset(): void;
  readonly depth: [number, number];
}

export function createHistory(): History {
  // An entry is a stroke: the steps of one drag, in order.
  let past: Pair[][] = [];
  let future: Pair[][] = [];
  return {
    push(pair) {
      future = [];
      const last = past[past.length - 1];
      if (last?.[0] && last[0].step.stroke === pair.step.stroke) last.push(pair);
      else past.push([pair]);
      if (past.length > LIMIT) past = past.slice(-LIMIT);
    },
    undo() {
      const entry = past.pop();
      if (!entry) return [];
      future.push(entry);
      return [...entry].reverse().map((pair) => pair.back);
    },
    redo() {
      const entry = future.pop();
      if (!entry) return [];
      past.push(entry);
      return entry.map((pair) => pair.step);
    },
    reset() {
      past = [];
      future = [];
    },
    get depth(): [number, number] {
      return [past.length, future.length];
    },
  };
}
