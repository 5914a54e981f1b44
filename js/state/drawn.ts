/** What views draw besides the numbers: the state before the last edit, and the views' own state. */
import type { createArrays } from "./arrays";
import { createBefore } from "./before";
import type { Marks } from "./marks";
import { type ArrayName, EDITABLE } from "./mirror";
import type { createMistaken } from "./mistaken";
import type { Replay } from "./replay";

/** The matrices of which the state before an edit is kept; almost every edit changes one of the first. */
const DRAWN: readonly ArrayName[] = ["mask", "attention", "output", "scores", ...EDITABLE];

interface Parts {
  replay: Replay;
  marks: Marks;
  /** The arrays, with the mistake that is switched on. */
  numbers: ReturnType<typeof createArrays> & ReturnType<typeof createMistaken>;
}

export function createDrawn({ replay, marks, numbers }: Parts) {
  const before = createBefore(
    DRAWN,
    (name) => numbers.matrix(name),
    () => ({
      shown: JSON.stringify(numbers.shown),
      // A draft is the edit that it becomes when it is sent.
      edit: replay.history.edit + Number(replay.draft !== null),
      mistake: numbers.mistake?.name ?? "",
    }),
  );
  let showsDifference = false;
  return {
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
