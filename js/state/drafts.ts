/** Numbers that a hand sets: a draft while the number is dragged, a command when it is let go. */
import type { Editable } from "../wire/schema";
import { EDITABLE, type Mirror } from "./mirror";
import { flatIndex, type PageState } from "./reduce";
import type { Replay } from "./replay";

export function createDrafts(mirror: Mirror, replay: Replay) {
  const { get, headIndex } = mirror;
  const shapeOf = (name: Editable) => mirror.packed(name)?.shape ?? [];

  /** The inputs that differ between two states, as each state has them. */
  function changedInputs(before: PageState, after: PageState) {
    const names = [...after.inputs.keys()].filter(
      (name) => after.inputs.get(name) !== before.inputs.get(name),
    );
    const numbers = ({ inputs, hand }: PageState) => ({
      inputs: new Map(
        names.map((name) => [name, (inputs.get(name) ?? mirror.flat(name)) as Float32Array]),
      ),
      hand,
    });
    return names.length ? ([numbers(before), numbers(after)] as const) : null;
  }
  const anyByHandIn = (name: Editable) =>
    Boolean(replay.shown.hand.get(name)?.size || get("overridden")?.[name]?.length);

  return {
    /** Show a number in place of another, with all that follows, until it is settled or abandoned. */
    draft(name: Editable, row: number, col: number, value: number) {
      const at = mirror.index(name, headIndex(), row, col);
      replay.setDraft({
        ...{ do: "number", stroke: replay.stroke(), name, at, value },
        ...{ shape: replay.mapShape(), array_shape: shapeOf(name), shown: get("shown") },
      });
      replay.flush();
    },
    settle() {
      const command = replay.draft;
      if (!command) return;
      const before = replay.sync.state;
      const numbers = changedInputs(before, replay.reduce(before, { command }));
      replay.setDraft(null);
      if (numbers) {
        const [old, now] = numbers;
        replay.history.push({
          ...{ stroke: command.stroke, step: { numbers: now }, back: { numbers: old } },
        });
      }
      replay.send({ command });
    },
    abandon() {
      if (!replay.draft) return;
      replay.setDraft(null);
      replay.flush();
    },
    get drafting(): boolean {
      return replay.draft !== null;
    },
    /** Whether a number of the shown head was set by hand. */
    isByHand(name: Editable, row: number, col: number): boolean {
      const index = flatIndex(mirror.index(name, headIndex(), row, col), shapeOf(name));
      const runs = get("overridden")?.[name] ?? [];
      for (let i = 0; i < runs.length; i += 2) {
        if (index >= runs[i] && index < runs[i] + runs[i + 1]) return true;
      }
      return replay.shown.hand.get(name)?.has(index) ?? false;
    },
    anyByHandIn,
    get anyByHand(): boolean {
      return EDITABLE.some(anyByHandIn);
    },
  };
}
