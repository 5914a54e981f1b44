/** What views draw besides the numbers: the state before the last edit, and the views' own state. */
import type { createArrays } from "./arrays";
import { createBefore } from "./before";
import { createDerived } from "./derived";
import type { Marks } from "./marks";
import { type ArrayName, EDITABLE, type Mirror } from "./mirror";
import type { createMistaken } from "./mistaken";
import type { Replay } from "./replay";

const BY_ROW: readonly ArrayName[] = ["mask", "attention", "output"];

interface Parts {
  mirror: Mirror;
  replay: Replay;
  marks: Marks;
  /** The arrays, with the mistake that is switched on. */
  numbers: ReturnType<typeof createArrays> & ReturnType<typeof createMistaken>;
}

export function createDrawn({ mirror, replay, marks, numbers }: Parts) {
  const before = createBefore<ArrayName>({
    // Almost every edit changes one of the first.
    names: [...BY_ROW, "scores", ...EDITABLE],
    byRow: BY_ROW,
    read: (name) => numbers.matrix(name),
    now() {
      const { layer, head, stack } = numbers.shown;
      return {
        shown: [layer, head, stack, numbers.tokens, numbers.keyTokens],
        // A draft is the edit that it becomes when it is sent.
        edit: replay.history.edit + Number(replay.draft !== null),
        mistake: numbers.mistake?.name ?? "",
        temperature: numbers.get("temperature"),
      };
    },
    cache: createDerived({ ...mirror, flat: replay.flat }),
  });
  let wantsDifference = false;
  return {
    /** The matrices before the last edit. */
    before,
    /** What views keep of their own state while the widget lives, each under a name of its own. */
    kept: new Map<string, unknown>(),
    /** Whether views draw the difference to the state before the last edit, where there is such a state. */
    get showsDifference() {
      return wantsDifference && before.moment !== null;
    },
    showDifference(on: boolean) {
      wantsDifference = on;
      marks.named("difference");
      replay.flush();
    },
  };
}
