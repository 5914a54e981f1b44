/** The steps of a saved page, as Python's `History` keeps them: edits of one stroke undo together. */
import type { Place } from "./heads";
import type { Work } from "./work";

/** A state to return to, and the place that was on screen. */
export interface Step {
  readonly work: Work;
  readonly place: Place;
}

const LIMIT = 100;

export function createHistory() {
  let past: Step[] = [];
  let future: Step[] = [];
  let stroke = "";

  function travel(from: Step[], to: Step[], now: Step): Step | undefined {
    const step = from.pop();
    if (step) to.push(now);
    stroke = "";
    return step;
  }

  return {
    /** Note the state before an edit; an edit without a stroke is a step of its own. */
    record(before: Step, by: string): void {
      if (by === "" || by !== stroke) past = [...past.slice(1 - LIMIT), before];
      [stroke, future] = [by, []];
    },
    undo: (now: Step) => travel(past, future, now),
    redo: (now: Step) => travel(future, past, now),
    get depth(): [number, number] {
      return [past.length, future.length];
    },
  };
}
