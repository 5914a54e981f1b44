/** Cells of the mask that a hand or a preset masks and frees. */
import { sortedRuns } from "../wire/cell-runs";
import type { Presets } from "../wire/schema";
import type { Mirror } from "./mirror";
import { hides } from "./presets";
import type { Replay } from "./replay";

export function createPainting(mirror: Mirror, replay: Replay) {
  const { get, nQ, nK } = mirror;
  const present = (): Presets => replay.state().presets;
  const everyCell = () => Array(nQ() * nK()).keys();

  /** Set cells of the mask as `wanted` says, those that are not locked and not so already. */
  function mask(
    list: Iterable<number>,
    wanted: (cell: number) => boolean,
    stroke: number,
    named?: Presets,
  ) {
    const now = replay.flat("mask") as Uint8Array;
    const locked = mirror.flat("locked");
    const on: number[] = [];
    const off: number[] = [];
    for (const cell of list) {
      const masked = wanted(cell);
      if (locked?.[cell] || Boolean(now[cell]) === masked) continue;
      (masked ? on : off).push(cell);
    }
    if (on.length + off.length === 0 && !named) return;
    const [hide, free] = [sortedRuns(on), sortedRuns(off)];
    const step = { on: hide, off: free, ...(named && { presets: named }) };
    const back = { on: free, off: hide, ...(named && { presets: present() }) };
    replay.history.push({ stroke, step, back });
    replay.send({ command: { do: "paint", shape: replay.mapShape(), stroke, ...step } });
  }

  return {
    stroke: replay.stroke,
    /** Mask or free cells (flat indices); locked cells stay. Painted before this returns. */
    paint: (list: Iterable<number>, masked: boolean, stroke: number) =>
      mask(list, () => masked, stroke),
    /** Put other presets in place of those in force; what was masked or freed by hand stays so. */
    setPresets(next: Presets) {
      const k = nK();
      const [queries, keys] = [get("tokens"), get("key_tokens") ?? get("tokens")];
      const [old, now] = [hides(present(), queries, keys), hides(next, queries, keys)];
      const masked = replay.flat("mask") as Uint8Array;
      const wanted = (cell: number) => {
        const [q, key] = [Math.floor(cell / k), cell % k];
        const was = old(q, key);
        return Boolean(masked[cell]) === was ? now(q, key) : !was;
      };
      mask(everyCell(), wanted, replay.stroke(), next);
    },
    /** Free every cell, of presets and by hand. */
    free: (stroke: number) => mask(everyCell(), () => false, stroke, {}),
    get presets(): Presets {
      return replay.shown.presets;
    },
  };
}
