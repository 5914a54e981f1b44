/** The knock-outs of a model: what a click on its map does, and whether the model runs. */
import type { KnockOutRecord, RunState } from "../wire/schema";
import { type Aim, type At, changeTo, FIRST_AIM, type KnockOutChange, type Place, puttingBack, recordOfCell, recordsAt, takingOut, toggled } from "./knockouts"; // biome-ignore format: a list
import type { Marks } from "./marks";
import type { Mirror } from "./mirror";
import type { Replay } from "./replay";
import type { Waiting } from "./waiting";

interface Parts {
  mirror: Mirror;
  replay: Replay;
  marks: Marks;
  waiting: Waiting;
  /** The layer, head and stack whose numbers are here. */
  shown(): Place;
}

export function createKnocking({ mirror, replay, marks, waiting, shown }: Parts) {
  const { get } = mirror;
  let aim = FIRST_AIM;
  const now = () => replay.shown.knockouts;

  function why(): string {
    const state = get("run_state");
    if (!state) return "there is no model here that can run again";
    if (state.state === "unable") return state.words || "the model cannot run again on this text";
    if (!waiting.live || waiting.saved) return "Needs Python: a run of the model";
    const { stack } = shown();
    if (get("derived_layers").some((layer) => layer.stack === stack)) {
      return "this map is made of the maps of several heads: choose a head of the model";
    }
    if (get("merge") === "words") return "the model reads tokens: show tokens in place of words";
    return get("hide_special") ? "the model reads the special tokens too: show them" : "";
  }
  const knocks = () => !aim.whatIf && why() === "";

  function send(change: KnockOutChange, stroke: number, position: number | null = null) {
    if (change.add.length + change.remove.length === 0) return;
    replay.history.reset(); // only Python knows what undo takes back
    const at = position === null ? {} : { position };
    replay.send({ command: { do: "knock_out", stroke, ...change, ...at } });
  }
  const wanted = (cells: readonly At[]): KnockOutRecord[] =>
    cells.flatMap((at) => recordsAt(aim, shown(), at));
  const isPending = () =>
    replay.sync.pending.some(({ command: { command } }) => command.do === "knock_out");

  return {
    /** What a click on the map does. */
    get aim(): Aim {
      return aim;
    },
    setAim(change: Partial<Aim>) {
      aim = { ...aim, ...change };
      marks.named("aim");
      replay.flush();
    },
    /** Why a click on this map is no knock-out; "" where the model can run again. */
    get whyNoKnockOut() {
      return why();
    },
    /** Whether a click on the map is a knock-out, and not a mask on the map alone. */
    get knocks() {
      return knocks();
    },
    /** What a click on a cell, or on a label, would do. */
    knockOutAt: (at: At): KnockOutChange => toggled(now(), wanted([at])),
    /** The knock-out that a cell of the map is in. */
    knockedOut: (query: number, key: number): KnockOutRecord | undefined =>
      recordOfCell(now(), shown(), query, key),
    /** Whether a cell has no weight on screen because it is taken out of the model. */
    isRemoved: (query: number, key: number): boolean =>
      get("shown_run") === "after" &&
      recordOfCell(now(), shown(), query, key)?.kind === "remove" &&
      why() === "",
    /** Whether the maps of another run are to be shown after a change of these traits. */
    isOtherRun: (names: ReadonlySet<string>): boolean =>
      names.has("shown_run") ||
      (names.has("run_state") && ["idle", "done"].includes(get("run_state")?.state ?? "")),
    /**
     * Take cells out, or put them back; `out` is what became of the first cell of a stroke. The effect
     * is read at `position`; null leaves the position as it is.
     */
    knockOut(cells: readonly At[], out: boolean, stroke: number, position: number | null = null) {
      send((out ? takingOut : puttingBack)(now(), wanted(cells)), stroke, position);
    },
    /** Other knock-outs in place of those that there are. */
    setKnockOuts(next: readonly KnockOutRecord[], stroke = replay.stroke()) {
      send(changeTo(now(), next), stroke);
    },
    /** Run again what was stopped or has failed. */
    runAgain() {
      replay.send({
        command: { do: "knock_out", stroke: replay.stroke(), add: [...now()], remove: [] },
      });
    },
    stopRun() {
      replay.send({ command: { do: "stop_run" } });
    },
    /** Whether the model runs, or is about to. */
    get running() {
      return waiting.live && (get("run_state")?.state === "running" || isPending());
    },
    /** What became of the run; null without a model that can run. */
    get runState(): RunState | null {
      return get("run_state");
    },
  };
}
