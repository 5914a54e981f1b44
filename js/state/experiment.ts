/** The edits of a model that runs again, and what clears them together with the mask. */
import { joined } from "./joined";
import { createKnocking } from "./knocking";
import type { createPainting } from "./painting";
import { createRunDifference } from "./run-difference";

type Parts = Parameters<typeof createKnocking>[0] &
  Parameters<typeof createRunDifference>[0] & {
    painting: ReturnType<typeof createPainting>;
    /** Whether a cell is masked that can be freed. */
    canFree(): boolean;
  };

export function createExperiment(parts: Parts) {
  const { painting, canFree, replay, waiting } = parts;
  const knocking = createKnocking(parts);
  return joined(painting, knocking, createRunDifference(parts), {
    /** Whether a cell is masked that can be freed, or a part of the model is knocked out. */
    get canClear() {
      return canFree() || (waiting.live && replay.shown.knockouts.length > 0);
    },
    /** Free every cell, and put back what is knocked out: one step of the history. */
    clear() {
      const stroke = replay.stroke();
      if (canFree()) painting.free(stroke);
      if (waiting.live) knocking.setKnockOuts([], stroke);
    },
  });
}
