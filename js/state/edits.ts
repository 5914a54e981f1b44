/** Edits made in this page: shown at once, told to Python, and replayed until Python answers. */
import { copyRows } from "../maths/rows";
import { sortedRuns } from "../wire/cell-runs";
import type {
  ChangeMessage,
  CommandsMessage,
  Editable,
  Presets,
  SetInput,
  SetNumber,
  Setting,
} from "../wire/schema";
import type { Down, Up } from "../wire/transport";
import { createHistory } from "./history";
import type { Mirror } from "./mirror";
import { createOverlay, type Renewed } from "./overlay";
import { hides } from "./presets";
import {
  type Action,
  confirmedState,
  createReduce,
  flatIndex,
  isFactor,
  type PageState,
} from "./reduce";
import { createSync } from "./sync";

/** Where edits are shown and sent. */
export interface Outlet {
  /** These rows have other numbers. */
  rows(rows: Iterable<number>): void;
  /** Inputs have other numbers, and so has every row. */
  inputs(): void;
  named(trait: string): void;
  /** Show all of it now. */
  flush(): void;
  send(message: CommandsMessage): void;
  /** Ask Python for the whole state. */
  resync(): void;
}

/** The values of a slider undo together, as Python's do. */
const SLIDER = -1;

export function createEdits(mirror: Mirror, outlet: Outlet) {
  const { get, nQ, nK } = mirror;
  const history = createHistory();
  const client = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const reduce = createReduce(mirror);
  let hear: (down: Down<PageState>) => boolean = () => false;
  const transport = {
    push: ({ commands }: Up<Action>) =>
      outlet.send({
        client,
        commands: commands.map(({ seq, command: action }) => ({ seq, ...action.command })),
      }),
    onState(listener: typeof hear) {
      hear = listener;
      return () => {};
    },
    resync: outlet.resync,
  };
  const opened = confirmedState(mirror, get("revision"), 0);
  const sync = createSync<PageState, Action>(transport, reduce, opened, client);
  const overlay = createOverlay(mirror, opened);
  let strokes = 0;
  /** A number under the hand: an edit that is not sent yet. */
  let draft: SetNumber | null = null;
  // What has come from Python since the last look.
  let isStale = false;
  let isAnswer = false;
  let isDropped = false;
  let renewed: Renewed = new Set();

  const state = () => (draft ? reduce(sync.state, { command: draft }) : sync.state);
  const shapeOf = (name: Editable) => mirror.packed(name)?.shape ?? [];
  const mapShape = (): [number, number] => [nQ(), nK()];

  /** Take a message of Python's: its rows go into the confirmed arrays. */
  function receive(change: ChangeMessage) {
    const { from = null, revision, acks, refused = {}, by } = change;
    const waiting = sync.pending.length;
    const isOwn = by === client && !refused[client];
    const isNews = from === null || from !== revision;
    const isTaken = hear({
      ...{ from, acks, refused },
      apply(confirmed) {
        // Rows of a map that has changed its shape since are not taken: whole arrays come with them.
        const rows = copyRows(mirror.flow(mirror.flat, confirmed), change);
        if (renewed !== "all") renewed = new Set([...renewed, ...rows]);
        const era = confirmed.era + Number(!isOwn && isNews);
        return { ...confirmed, era, revision: revision ?? get("revision") };
      },
    });
    isStale = true;
    isDropped ||= !isTaken;
    isAnswer ||= sync.pending.length < waiting;
    // What undo takes back is what others did, or is not known because an edit was refused.
    if (isTaken && !isOwn && (isNews || refused[client])) history.reset();
  }

  /** Show what the arrays, the answers and the edits make together; whether there was an answer. */
  function refresh(): boolean {
    if (isStale) {
      const { revision, era } = sync.confirmed;
      sync.renew(confirmedState(mirror, revision, era));
    }
    // A message that was not taken has set whole arrays of another revision.
    if (isDropped && renewed === "all") outlet.resync();
    const before = overlay.shown;
    const next = state();
    const rows = overlay.show(next, renewed);
    if (rows === "all") outlet.inputs();
    else outlet.rows(rows);
    for (const name of ["scale", "temperature", "presets"] as const) {
      if (before[name] !== next[name]) outlet.named(name);
    }
    const was = isAnswer;
    isStale = isAnswer = isDropped = false;
    renewed = new Set();
    return was;
  }

  /** Show an edit here and now, and tell Python, with all that it has not answered yet. */
  function send(action: Action) {
    sync.do(action);
    outlet.flush();
  }

  const present = (): Presets => state().presets;

  /** Set cells of the mask as `wanted` says, those that are not locked and not so already. */
  function mask(
    list: Iterable<number>,
    wanted: (cell: number) => boolean,
    stroke: number,
    named?: Presets,
  ) {
    const now = overlay.flat("mask") as Uint8Array;
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
    history.push({ stroke, step, back });
    send({ command: { do: "paint", shape: mapShape(), stroke, ...step } });
  }

  function travel(move: "undo" | "redo") {
    const { on, off, ...values } = history[move]();
    const { era } = sync.confirmed;
    send({ command: { do: move, shape: mapShape(), on, off }, preview: { ...values, era } });
  }

  /** The numbers of the draft are let go: they are an edit now. */
  function settle() {
    if (!draft) return;
    const [command, before] = [draft, sync.state];
    draft = null;
    const after = reduce(before, { command });
    const names = [...after.inputs.keys()].filter(
      (name) => after.inputs.get(name) !== before.inputs.get(name),
    );
    const of = ({ inputs }: PageState) =>
      new Map(
        names.map(
          (name) => [name, (inputs.get(name) ?? mirror.flat(name)) as Float32Array] as const,
        ),
      );
    if (names.length) {
      history.push({
        stroke: command.stroke,
        step: { numbers: { inputs: of(after), hand: after.hand } },
        back: { numbers: { inputs: of(before), hand: before.hand } },
      });
    }
    send({ command });
  }

  return {
    client,
    nextSeq: sync.nextSeq,
    receive,
    refresh,
    /** The arrays as they are shown. */
    flat: overlay.flat,
    /** The scale, the temperature and the presets as they are shown. */
    get shown(): PageState {
      return overlay.shown;
    },
    get pending() {
      return sync.pending.length;
    },
    get asking() {
      return sync.pending.some(({ command: action }) => action.command.do === "set");
    },
    get depth() {
      return history.depth;
    },
    /** Why the last edit was refused; empty where it was not. */
    get refusal() {
      return sync.refusal;
    },
    get drafting(): boolean {
      return draft !== null;
    },
    /** Traits are other than they were: whole arrays, or values beside them. */
    renew(isArray: boolean) {
      isStale = true;
      if (isArray) renewed = "all";
    },
    /** Edits of a map of another shape are about nothing that is there. */
    dropOfOtherShape() {
      sync.drop(
        ({ command }) =>
          command.do !== "set" && (command.shape[0] !== nQ() || command.shape[1] !== nK()),
      );
    },

    stroke: () => ++strokes,
    paint: (list: Iterable<number>, masked: boolean, stroke: number) =>
      mask(list, () => masked, stroke),
    /** Put other presets in place of those in force; what was masked or freed by hand stays so. */
    setPresets(next: Presets) {
      const k = nK();
      const [queries, keys] = [get("tokens"), get("key_tokens") ?? get("tokens")];
      const [old, now] = [hides(present(), queries, keys), hides(next, queries, keys)];
      const masked = overlay.flat("mask") as Uint8Array;
      const wanted = (cell: number) => {
        const [q, key] = [Math.floor(cell / k), cell % k];
        const was = old(q, key);
        return Boolean(masked[cell]) === was ? now(q, key) : !was;
      };
      mask(Array(nQ() * k).keys(), wanted, ++strokes, next);
    },
    clear: () => mask(Array(nQ() * nK()).keys(), () => false, ++strokes, {}),
    draft(name: Editable, at: number[], value: number) {
      const made = { shape: mapShape(), array_shape: shapeOf(name), shown: get("shown") };
      draft = { do: "number", stroke: ++strokes, name, at, value, ...made };
      outlet.flush();
    },
    settle,
    abandon() {
      if (!draft) return;
      draft = null;
      outlet.flush();
    },
    isByHand(name: Editable, at: readonly number[]): boolean {
      const index = flatIndex(at, shapeOf(name));
      const runs = get("overridden")?.[name] ?? [];
      for (let i = 0; i < runs.length; i += 2) {
        const start = runs[i] as number;
        if (index >= start && index < start + (runs[i + 1] as number)) return true;
      }
      return overlay.shown.hand.get(name)?.has(index) ?? false;
    },
    anyByHand(name: Editable): boolean {
      return Boolean(overlay.shown.hand.get(name)?.size || get("overridden")?.[name]?.length);
    },
    undo: () => travel("undo"),
    redo: () => travel("redo"),
    /**
     * Set what Python computes with. The trait itself follows with Python's answer: until then the
     * numbers on the page are of the old one. A factor of the scores is computed here at once.
     */
    ask(name: Setting, value: string | number | null) {
      const command: SetInput = { do: "set", name, value };
      if (isFactor(command)) {
        const stroke = name === "temperature" ? SLIDER : ++strokes;
        const factor = { name: command.name, value: command.value };
        const before = { ...factor, value: state()[factor.name] };
        history.push({ stroke, step: { factor }, back: { factor: before } });
      } else history.reset(); // only Python knows what undo takes back
      // The newest value is what counts: older values on their way are not waited for.
      send({ command, replaces: name });
    },
    /** Take back every number set by hand: Python knows what they were. */
    reset() {
      history.reset();
      send({ command: { do: "reset", shape: mapShape() } });
    },
  };
}
