/** What views draw: the matrices with the mistake that is switched on, the state before the last edit, and the views' own state. */
import { mistakenFlow } from "../maths/mistaken";
import type { Matrix } from "../wire/codec";
import type { createArrays } from "./arrays";
import { createBefore } from "./before";
import type { createDerived } from "./derived";
import type { Marks } from "./marks";
import { type ArrayName, EDITABLE, type Mirror } from "./mirror";
import type { Replay } from "./replay";

/** The matrices of which the state before an edit is kept; almost every edit changes one of the first. */
const DRAWN: readonly ArrayName[] = ["mask", "attention", "output", "scores", ...EDITABLE];

interface Parts {
  mirror: Mirror;
  replay: Replay;
  marks: Marks;
  arrays: ReturnType<typeof createArrays>;
  once: ReturnType<typeof createDerived>["once"];
}

export function createDrawn({ mirror, replay, marks, arrays, once }: Parts) {
  const mistaken = () =>
    once("mistaken", () => mistakenFlow(mirror.get("report"), arrays.matrix("V")));
  const drawn = (name: ArrayName): Matrix | null =>
    (name === "attention" || name === "output" ? mistaken()?.[name] : null) ?? arrays.matrix(name);
  const before = createBefore(DRAWN, drawn, () => ({
    shown: JSON.stringify(arrays.shown),
    // A draft is the edit that it becomes when it is sent.
    edit: replay.history.edit + Number(replay.draft !== null),
    mistake: mistaken()?.name ?? "",
  }));
  let showsDifference = false;
  return {
    /** Attention and output as a mistake that is switched on makes them; null without one. */
    get mistaken() {
      return mistaken();
    },
    /** A matrix of the shown head, with the mistake that is switched on; null where there is none. */
    drawn,
    /** The matrices before the last edit. */
    before,
    /** What views keep of their own state while the widget lives, each under a name of its own. */
    kept: new Map<string, unknown>(),
    /** Whether views draw the difference to the state before the last edit. */
    get showsDifference() {
      return showsDifference;
    },
    showDifference(on: boolean) {
      showsDifference = on;
      marks.named("difference");
      replay.flush();
    },
  };
}
