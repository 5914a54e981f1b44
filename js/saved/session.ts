/**
 * A saved page's own authority: it does the commands of the page as a session in Python does, keeps
 * their history, and refuses in words what needs Python.
 */
import type { Flow } from "../maths/flow";
import type { Command, Editable, SetInput, Traits } from "../wire/schema";
import { type ReadArray, revive, type SavedFile } from "./file";
import { attend, createHeads, type Heads, type Place } from "./heads";
import { createHistory } from "./history";
import { reportOf } from "./report";
import {
  changedRows,
  editOf,
  type Mask,
  maskOf,
  painted,
  type Work,
  withEdit,
  withFactor,
  withNumber,
} from "./work";

export const WITHOUT = "this page was saved without it";

/** The numbers of the beginning, where they differ from those that were saved; null where they are not known. */
function readOriginal({ original }: SavedFile, read: ReadArray) {
  if (!original) return null;
  const entries = Object.entries(original);
  return new Map(entries.map(([name, at]) => [name as Editable, read(at) as Float32Array]));
}

const readMasks = ({ stacks }: SavedFile, read: ReadArray): ReadonlyMap<string, Mask> =>
  new Map(
    stacks.map(({ stack, own, presets }) => [stack, { own: read(own) as Uint8Array, presets }]),
  );

/** The place that is shown where `next` is asked for, as Python's `show`; null where this page lacks it. */
function placeIn({ layers }: SavedFile, heads: Heads, now: Place, next: Place): Place | null {
  const ofStack = layers.filter(({ stack }) => stack === next.stack);
  const named = ofStack.find(({ index }) => index === next.layer);
  // Another stack has other layers, so the layer of this stack may be none of them.
  const layer = named ?? (next.stack === now.stack ? undefined : ofStack[0]);
  if (!layer) return null;
  const at = { ...next, layer: layer.index, head: Math.min(next.head, layer.n_heads - 1) };
  return heads.has(at) ? at : null;
}

/** The maps of the head on screen, kept until they change. */
function createMaps(heads: Heads) {
  let last: { place: Place; work: Work; flow: Flow } | null = null;
  return {
    /** Where only the mask differs from the maps before, only the rows that differ are computed. */
    of(place: Place, work: Work): Flow {
      if (last?.place === place && last.work === work) return last.flow;
      const head = heads.at(place);
      const edit = editOf(work, place, head);
      const mask = maskOf(work, place, head);
      let flow: Flow;
      if (last?.place === place && editOf(last.work, place, head) === edit) {
        const before = last.flow;
        flow = { ...before, mask };
        flow.attention = before.attention.slice();
        flow.output = before.output?.slice() ?? null;
        attend(flow, head, changedRows(before.mask, mask, head.nK));
      } else flow = heads.flow(head, edit, mask);
      last = { place, work, flow };
      return flow;
    },
  };
}

export type Session = ReturnType<typeof createSession>;

export function createSession(file: SavedFile, read: ReadArray) {
  const heads = createHeads(file, read);
  const { traits } = file;
  const { stack, layer, head: shown } = traits as unknown as Traits;
  let place: Place = { stack, layer, head: shown };
  let work: Work = { masks: readMasks(file, read), edits: new Map() };
  const history = createHistory();
  let mistake = traits.mistake as string | null;
  let checked = revive(traits.report, read) as Traits["report"];
  let revision = traits.revision as number;
  const original = readOriginal(file, read);
  const maps = createMaps(heads);

  const head = () => heads.at(place);
  const flow = () => maps.of(place, work);

  /** Take the next state; edits of one stroke undo together. */
  function record(next: Work, by: string): void {
    if (next === work) return;
    history.record({ work, place }, by);
    work = next;
    revision++;
  }

  function travel(move: "undo" | "redo"): void {
    const step = history[move]({ work, place });
    if (!step) return;
    work = step.work;
    // The layer and the head stay, but the rows of another stack are other tokens.
    if (step.place.stack !== place.stack) place = step.place;
    revision++;
  }

  function reset(): void {
    if (!original) throw new RangeError(`reset: it needs Python; ${WITHOUT}`);
    const edit = editOf(work, place, head());
    const isAsBefore = edit.inputs.size === 0 && original.size === 0;
    if (isAsBefore || edit.inputs === original) return;
    const numbers = { inputs: original, hand: new Map(), isReset: true };
    record(withEdit(work, place, head(), { ...edit, ...numbers }), "");
  }

  function setInput({ name, value }: SetInput, by: string): void {
    if (name === "mistake") {
      const isKnown = value === null || file.mistakes.some((each) => each.name === value);
      if (!isKnown) throw new RangeError(`mistake: it needs Python; ${WITHOUT}`);
      [mistake, checked] = [value as string | null, null];
    } else if (name === "temperature" || name === "scale") {
      record(withFactor(work, place, head(), { name, value }, flow()), by);
    } else throw new RangeError(`${name}: it needs Python; ${WITHOUT}`);
  }

  return {
    heads,
    flow,
    get place() {
      return place;
    },
    get revision() {
      return revision;
    },
    get edit() {
      return editOf(work, place, head());
    },
    get mask() {
      return work.masks.get(place.stack) as Mask;
    },
    get depth(): [number, number] {
      return history.depth;
    },
    get mistake() {
      return mistake;
    },
    report(): Traits["report"] {
      const words = file.mistakes.find(({ name }) => name === mistake);
      const shown = flow();
      if (!words || !shown.Q || !shown.K) return checked;
      return reportOf(words, shown, shown.heads > 1 ? place.head : 0, revision);
    },
    /** The maps of a head without the mask by hand: what the model itself computes. */
    ofModel(at: Place): Flow {
      const model = heads.at(at);
      const mask = model.locked?.slice() ?? new Uint8Array(model.nQ * model.nK);
      return heads.flow(model, editOf(work, at, model), mask);
    },
    /** Do a command of a page; raises an error in words for a command that is refused. */
    do(command: Command, client: string): void {
      const by = "stroke" in command ? `${client} ${command.stroke}` : "";
      if (command.do === "set") {
        setInput(command, by);
        return;
      }
      if (!("shape" in command)) throw new RangeError(`${command.do}: it needs Python; ${WITHOUT}`);
      const { nQ, nK } = head();
      if (command.shape[0] !== nQ || command.shape[1] !== nK) return;
      if (command.do === "paint") record(painted(work, place, head(), command), by);
      else if (command.do === "number") {
        record(withNumber(work, place, head(), command, heads), by);
      } else if (command.do === "undo" || command.do === "redo") travel(command.do);
      else reset();
    },
    /** Show another head; false where this page does not have it. */
    show(next: Place): boolean {
      const at = placeIn(file, heads, place, next);
      if (!at) return false;
      if (JSON.stringify(at) !== JSON.stringify(place)) {
        place = at;
        revision++;
        const { Q, K } = flow();
        if (!Q || !K) mistake = null;
      }
      return true;
    },
    dismiss(): void {
      [mistake, checked] = [null, null];
    },
  };
}
