/**
 * The steps that this page can undo by itself, in the frame of the click or without a kernel.
 * Python keeps the history that counts; this one is a preview of it.
 */
import type { Runs } from "./types";

export interface Step {
  stroke: number;
  on: Runs;
  off: Runs;
}

const LIMIT = 100;

export interface History {
  push(step: Step): void;
  undo(): Step[];
  redo(): Step[];
  reset(): void;
  readonly depth: [number, number];
}

export function createHistory(): History {
  // An entry is a stroke: the steps of one drag, in order.
  let past: Step[][] = [];
  let future: Step[][] = [];
  return {
    push(step) {
      future = [];
      const last = past[past.length - 1];
      if (last?.[0] && last[0].stroke === step.stroke) last.push(step);
      else past.push([step]);
      if (past.length > LIMIT) past = past.slice(-LIMIT);
    },
    undo() {
      const entry = past.pop();
      if (!entry) return [];
      future.push(entry);
      return [...entry].reverse().map((s) => ({ stroke: s.stroke, on: s.off, off: s.on }));
    },
    redo() {
      const entry = future.pop();
      if (!entry) return [];
      past.push(entry);
      return entry;
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
