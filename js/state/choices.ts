/** What may be chosen: a page without Python has only the numbers that it was saved with. */
import type { SetInput, Setting, Traits } from "../wire/schema";
import type { Mirror } from "./mirror";
import { isFactor } from "./reduce";
import type { Replay } from "./replay";
import { NotSaved, type Waiting } from "./waiting";

/** What a page may set; the rest is Python's. */
export type Settable =
  | "stack" | "merge" | "hide_special" | "layer" | "head" | "view" | "color_scale" | "quantity" | "report" | "selection" | "heads_on" | "grid_order" | "grid_statistic" | "shown_run" | "effect_position" | "checkpoint"
  | "error"; // biome-ignore format: a table

/** Settings that have no field to say in why a value was refused. */
const WITHOUT_FIELD: readonly Setting[] = ["scale", "temperature", "mistake"];

interface Parts {
  mirror: Mirror;
  replay: Replay;
  waiting: Waiting;
  /** The layer, head and stack whose numbers are here. */
  shown(): { layer: number; head: number; stack: string };
  /** Set a trait of the model. */
  setTrait<K extends Settable>(name: K, value: Traits[K]): void;
  /** A choice was refused: views show again what is here. */
  refused(): void;
}

export function createChoices({ mirror, replay, waiting, shown, setTrait, refused }: Parts) {
  const { get, stackedHeads } = mirror;
  const { history, sync } = replay;
  let refusal = "";
  let lastRefused = sync.refused;
  let refusedSetting: { name: Setting; words: string } | null = null;

  /** Say that Python is needed, and show what is here again: the pickers go back to it. */
  function refuse(what: string) {
    refusal = new NotSaved(what).message;
    refused();
  }
  /** What the choice is called, where this page lacks its numbers; null where it has them. */
  function elsewhere(name: Settable, value: unknown): string | null {
    const { layer, head, stack } = shown();
    if (name === "layer") return value === layer ? null : `layer ${value}`;
    if (name === "head") return value === head || stackedHeads() > 1 ? null : `head ${value}`;
    if (name === "stack") return value === stack ? null : `the stack “${value}”`;
    return name === "merge" || name === "hide_special" ? "This" : null;
  }
  // Steps older than this page are Python's to take back.
  const canTravel = (side: 0 | 1) =>
    history.depth[side] > 0 || (waiting.live && get("history")[side] > 0);

  function travel(move: "undo" | "redo") {
    const { on, off, ...values } = history[move]();
    const { era } = sync.confirmed;
    const command = { do: move, shape: replay.mapShape(), on, off };
    replay.send({ command, preview: { ...values, era } });
  }

  return {
    /** Whether this is a saved page, which keeps its edits itself and has no Python. */
    saved: waiting.saved,
    /** Why the last choice was not taken; empty where it was. */
    get refusal() {
      // Python says the refusal of a command in `error` too; a field says the refusal of its value.
      if (refusal || get("error") || !sync.refused) return refusal;
      return this.refused ? "" : sync.refused.words;
    },
    /** The setting of a field that Python refused last, and why; null where its last answer refused none. */
    get refused(): { name: Setting; words: string } | null {
      if (sync.refused !== lastRefused) {
        lastRefused = sync.refused;
        const command = lastRefused?.command.command;
        refusedSetting =
          lastRefused && command?.do === "set" && !WITHOUT_FIELD.includes(command.name)
            ? { name: command.name, words: lastRefused.words }
            : null;
      }
      return refusedSetting;
    },
    /** A command is sent: what was refused before is past. */
    forgetRefusal() {
      refusal = "";
    },
    /** False where the choice is not taken because this page lacks its numbers and has no Python. */
    set<K extends Settable>(name: K, value: Traits[K]): boolean {
      const what = elsewhere(name, value);
      if (what && !waiting.live) {
        refuse(what);
        return false;
      }
      refusal = "";
      setTrait(name, value);
      return true;
    },
    /**
     * Set what Python computes with. The trait itself follows with Python's answer: until then the
     * numbers on the page are of the old value. A factor of the scores is computed here at once.
     * Values of one stroke, such as those of a drag, undo together.
     */
    ask(name: Setting, value: string | number | null, stroke = replay.stroke()) {
      const command: SetInput = { do: "set", name, value, stroke };
      if (isFactor(command)) {
        const factor = { name: command.name, value: command.value };
        const before = { ...factor, value: replay.state()[factor.name] };
        history.push({ stroke, step: { factor }, back: { factor: before } });
      } else if (waiting.live)
        history.reset(); // only Python knows what undo takes back
      else return refuse("This");
      // The newest value is what counts: older values on their way are not waited for.
      replay.send({ command, replaces: name });
    },
    /** Whether a setting waits for Python's answer. */
    get asking() {
      return waiting.live && sync.pending.some(({ command: { command } }) => command.do === "set");
    },
    get canUndo() {
      return canTravel(0);
    },
    get canRedo() {
      return canTravel(1);
    },
    undo: () => canTravel(0) && travel("undo"),
    redo: () => canTravel(1) && travel("redo"),
    /** Take back every number set by hand: Python knows what the numbers were. */
    reset() {
      if (!waiting.live) return refuse("This");
      history.reset();
      replay.send({ command: { do: "reset", shape: replay.mapShape() } });
    },
  };
}
