/** What Python has confirmed, and over it this page's commands until Python has answered them. */
import { copyRows } from "../maths/rows";
import type { CommandsMessage, SetNumber } from "../wire/schema";
import type { Down, Up } from "../wire/transport";
import { createHistory } from "./history";
import type { Marks } from "./marks";
import type { Message } from "./messages";
import { type Confirmed, isArray, type Mirror } from "./mirror";
import { createOverlay, type Renewed } from "./overlay";
import { type Action, confirmedState, createReduce, type PageState } from "./reduce";
import { createSync } from "./sync";

/** Where commands are shown and sent. */
export interface Outlet {
  /** Show all of it now. */
  flush(): void;
  send(message: CommandsMessage): void;
  /** Ask Python for the whole state. */
  resync(): void;
}

export type Replay = ReturnType<typeof createReplay>;

/** Choices that no command is computed with. The commands are not replayed when such a choice is set. */
const APART: ReadonlySet<Confirmed> = new Set([
  "selection", "view", "cmap", "color_scale", "quantity", "heads_on", "grid_order", "grid_statistic", "error",
]); // biome-ignore format: a table

export function createReplay(mirror: Mirror, marks: Marks, outlet: Outlet) {
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
    },
    resync: outlet.resync,
  };
  const opened = confirmedState(mirror, get("revision"), 0);
  const sync = createSync<PageState, Action>(transport, reduce, opened, client);
  const overlay = createOverlay(mirror, opened);
  let strokes = 0;
  /** A number under the hand: a command that is not sent yet. */
  let draft: SetNumber | null = null;
  // What has come from Python since the last look.
  let isAnswer = false;
  let renewed: Renewed = new Set();

  const state = () => (draft ? reduce(sync.state, { command: draft }) : sync.state);

  function adopt(values: Message["values"]) {
    for (const [name, value] of values) {
      marks.adopt(name, value);
      if (isArray(name)) renewed = "all";
    }
  }

  /** Take a message of Python's: its values, and its rows, which go into the confirmed arrays. */
  function receive({ values, change }: Message) {
    if (!change) {
      adopt(values);
      if ([...values.keys()].every((name) => APART.has(name))) return;
      sync.renew(confirmedState(mirror, sync.confirmed.revision, sync.confirmed.era));
    } else {
      const { from, revision, acks, refused, by } = change;
      const waiting = sync.pending.length;
      const isOwn = by === client && !refused[client];
      const isNews = from !== revision;
      const isTaken = hear({
        ...{ from, acks, refused },
        // A host does not tell of a value that the model has from a message that was not taken.
        hasValues: values.size > 0,
        apply(confirmed) {
          adopt(from === null ? mirror.differing() : values);
          // Rows of a map that has changed its shape since are not taken: whole arrays come with them.
          const rows = copyRows(mirror.flow(mirror.flat, confirmed), change);
          if (renewed !== "all") renewed = new Set([...renewed, ...rows]);
          return confirmedState(mirror, revision, confirmed.era + Number(!isOwn && isNews));
        },
      });
      isAnswer ||= sync.pending.length < waiting;
      // What undo takes back is what others did, or is not known because a command was refused.
      if (isTaken && !isOwn && (isNews || refused[client])) history.reset();
    }
    sync.drop(({ command }) => "shape" in command && !isOnMap(command));
  }
  /** A command on a map of another shape is about nothing that is there. */
  const isOnMap = ({ shape: [n, width] }: { shape: [number, number] }) =>
    n === nQ() && width === nK();

  /** Show what the arrays, the answers and the commands make together; whether there was an answer. */
  function refresh(): boolean {
    const before = overlay.shown;
    const next = state();
    const rows = overlay.show(next, renewed);
    if (rows === "all") marks.inputs();
    else marks.rows(rows);
    for (const name of ["scale", "temperature", "presets", "knockouts"] as const) {
      if (before[name] !== next[name]) marks.named(name);
    }
    const wasAnswer = isAnswer;
    isAnswer = false;
    renewed = new Set();
    return wasAnswer;
  }

  return {
    ...{ client, history, reduce, sync, receive, refresh, state },
    /** The arrays as they are shown. */
    flat: overlay.flat,
    /** The scale, the temperature and the presets as they are shown. */
    get shown(): PageState {
      return overlay.shown;
    },
    get draft() {
      return draft;
    },
    /** Show a number under the hand; null where it is let go. */
    setDraft(command: SetNumber | null) {
      draft = command;
    },
    mapShape: (): [number, number] => [nQ(), nK()],
    /** A number for a new stroke: commands that carry the same number undo together. */
    stroke: () => ++strokes,
    /** Show a command here and now, and tell Python, with all that it has not answered yet. */
    send(action: Action) {
      sync.do(action);
      outlet.flush();
    },
    flush: outlet.flush,
  };
}
