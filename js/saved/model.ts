/** A saved page as the model that a card is shown of: it answers commands, choices and questions itself. */
import type { AnyModel } from "@anywidget/types";
import type { ChangeMessage, Command, CommandsMessage, LayerInfo, Traits } from "../wire/schema";
import type { Answer } from "../wire/transport";
import { gridAnswer, linesAnswer } from "./answers";
import { readChunks, revive, type SavedFile } from "./file";
import { createSession, type Session } from "./session";
import { EDITABLE, fitting, rowsOf, stateOf } from "./state";
import { changedRows } from "./work";

const MAPS = ["mask", "attention", "output"] as const;

/** What is not in this page, for a person who asked for it. */
const missing = (what: string) => `${what} is not saved in this page; it needs Python`;

const isPacked = (value: unknown) => Boolean((value as { dtype?: string } | null)?.dtype);

interface Question {
  type?: string;
  stack?: string;
  layer?: number;
}

/** The answer to a question of a view; null where only Python knows it. */
function answerTo(session: Session, file: SavedFile, question: Question): Answer | null {
  const stack = question.stack ?? session.place.stack;
  const saved = session.heads.stacks.get(stack);
  const layers: LayerInfo[] = file.layers.filter((layer) => layer.stack === stack);
  if (!saved || !layers.length) return null;
  const own = { ...file.traits, ...saved.traits } as unknown as Traits;
  const { keys } = saved;
  if (question.type === "grid") {
    return gridAnswer(session, { stack, tokens: own.tokens, keys, layers });
  }
  const layer = layers.find(({ index }) => index === question.layer);
  return question.type === "lines" && layer ? linesAnswer(session, stack, layer) : null;
}

export type SavedModel = AnyModel<Traits> & { readonly saved: true };

/** The commands of the page: each is done once, and answered. */
function createLog(session: Session) {
  const acks: Record<string, number> = {};
  let refused: Record<string, Record<string, string>> = {};
  let by: string | null = null;
  return {
    take({ client, commands }: CommandsMessage) {
      refused = { [client]: {} };
      for (const { seq, ...command } of commands) {
        if (seq <= (acks[client] ?? 0)) continue;
        const author = command.do === "set" ? "python" : client;
        by = by === null || by === author ? author : "python";
        try {
          session.do(command as Command, client);
        } catch (error) {
          refused[client][seq] = (error as Error).message;
        }
        acks[client] = seq;
      }
    },
    /** The answer that is due, which is given then. */
    answer() {
      const author = by ?? "python";
      by = null;
      return { acks: { ...acks }, refused, by: author };
    },
  };
}

export async function createSavedModel(file: SavedFile): Promise<SavedModel> {
  const read = await readChunks(file);
  const session = createSession(file, read);
  const traits = revive({ ...file.traits, layers: file.layers }, read) as Record<string, unknown>;
  Object.assign(traits, stateOf(session, file));
  Object.assign(traits, { _change: null, _early_answer: null, error: "" });
  traits._commands = { client: "", commands: [] };
  const handlers = new Map<string, Set<(...args: never[]) => void>>();
  const log = createLog(session);
  let dirty = new Set<string>();
  let isDue = false;
  /** What the page was told last. */
  let told = { flow: session.flow(), revision: session.revision, edit: session.edit };

  const fire = (event: string, ...args: unknown[]) => {
    for (const handler of [...(handlers.get(event) ?? [])]) handler(...(args as never[]));
  };

  /** Take the choice of a layer, a head or a stack; choices that this page lacks are taken back. */
  function choose(names: ReadonlySet<string>) {
    let words = "";
    const { stack, layer, head } = traits as unknown as Traits;
    if (!session.show({ stack, layer, head })) {
      words = missing(names.has("stack") ? `The stack “${stack}”` : `Layer ${layer}, head ${head}`);
    }
    const { merge, hide_special } = { ...file.traits, ...session.heads.stacks.get(stack)?.traits };
    if (names.has("merge") || names.has("hide_special")) {
      if (merge !== traits.merge || hide_special !== traits.hide_special)
        words = missing("This map");
    }
    if (names.has("report") && traits.report === null) session.dismiss();
    if (words === traits.error) return;
    traits.error = words;
    queueMicrotask(() => fire("change:error"));
  }

  /** Tell the page what has changed since it was told last, in one message. */
  function tell() {
    isDue = false;
    const flow = session.flow();
    const isByRow = flow.scores === told.flow.scores && session.edit === told.edit;
    const whole = stateOf(session, file);
    const lead = flow.heads > 1 ? [flow.heads] : [];
    const rows = isByRow ? changedRows(told.flow.mask, flow.mask, flow.nK) : [];
    const state: Record<string, unknown> = { ...whole, ...fitting(traits, whole) };
    if (isByRow) {
      for (const name of [
        ...EDITABLE,
        ...MAPS,
        "bias",
        "locked",
        "row_mass",
        "scores",
        "output_norms",
      ]) {
        delete state[name];
      }
    }
    for (const [name, value] of Object.entries(state)) {
      if (JSON.stringify(value) === JSON.stringify(traits[name]) && !isPacked(value)) {
        delete state[name];
      }
    }
    const change: ChangeMessage = {
      ...{ from: told.revision, revision: session.revision },
      ...log.answer(),
      ...rowsOf(flow, rows, lead),
    };
    told = { flow, revision: session.revision, edit: session.edit };
    Object.assign(traits, state, { _change: change });
    for (const name of [...Object.keys(state), "_change"]) fire(`change:${name}`);
  }

  const model = {
    saved: true,
    get: (name: string) => traits[name],
    set(name: string, value: unknown) {
      const isOther = traits[name] !== value;
      traits[name] = value;
      dirty.add(name);
      if (isOther) fire(`change:${name}`);
    },
    save_changes() {
      const names = dirty;
      dirty = new Set();
      if (names.has("_commands")) log.take(traits._commands as CommandsMessage);
      const isPlace = ["stack", "layer", "head", "merge", "hide_special", "report"];
      const isChoice = isPlace.some((name) => names.has(name));
      if (isChoice) choose(names);
      if ((isChoice || names.has("_commands")) && !isDue) {
        isDue = true;
        queueMicrotask(tell);
      }
    },
    send(question: { id?: string; type?: string }) {
      queueMicrotask(() => {
        if (question.type === "resync") return;
        const reply = answerTo(session, file, question);
        if (reply)
          fire("msg:custom", { ...(reply.content as object), id: question.id }, reply.buffers);
        else fire("msg:custom", { id: question.id, error: missing("This") });
      });
    },
    on(event: string, handler: () => void) {
      handlers.set(event, (handlers.get(event) ?? new Set()).add(handler));
    },
    off(event: string, handler: () => void) {
      handlers.get(event)?.delete(handler);
    },
  };
  return model as unknown as SavedModel;
}
