/** The browser's mirror of the widget: every view reads it, and sets through it. */
import type { AnyModel } from "@anywidget/types";
import type { Traits } from "../wire/schema";
import { createArrays } from "./arrays";
import { createChoices } from "./choices";
import { createDerived } from "./derived";
import { createDrafts } from "./drafts";
import { createDrawn } from "./drawn";
import { createExperiment } from "./experiment";
import { joined } from "./joined";
import { type Change, createMarks } from "./marks";
import { createMessages } from "./messages";
import { CONFIRMED, createMirror } from "./mirror";
import { createMistaken } from "./mistaken";
import { createPainting } from "./painting";
import { createQuestions } from "./questions";
import { createReplay } from "./replay";
import { createStop } from "./stop";
import { createWaiting } from "./waiting";

export type { Settable } from "./choices";
export type { Change } from "./marks";

export type Store = ReturnType<typeof createStore>;

export function createStore(model: AnyModel<Traits>, signal: AbortSignal) {
  const listeners = new Set<(change: Change) => void>();
  const mirror = createMirror(model);
  const marks = createMarks(mirror);
  const messages = createMessages(model, CONFIRMED, enqueue, signal);
  const replay = createReplay(mirror, marks, {
    flush,
    send(message) {
      choices.forgetRefusal();
      model.set("_commands", message);
      save();
    },
    resync: () => questions.resync(),
  });
  const { sync } = replay;
  const questions = createQuestions(
    model,
    () => waiting,
    () => `${replay.client}:${sync.nextSeq()}`,
  );
  const arrays = createArrays(mirror, replay);
  const { derived, once, canClear, forget } = createDerived({ ...mirror, flat: replay.flat });
  const numbers = joined(arrays, createMistaken(arrays, mirror, { once }));
  const drawn = createDrawn({ mirror, replay, marks, numbers });
  const isComputing = () => arrays.isAwaited;
  const waiting = createWaiting(
    model as AnyModel<never>,
    () => sync.pending.length > 0 || questions.size > 0 || isComputing(),
    () => {
      if (waiting.live) save();
      else questions.end();
      marks.named("waiting");
      enqueue();
    },
    signal,
  );
  const choices = createChoices({
    ...{ mirror, replay, waiting, shown: () => arrays.shown },
    setTrait(name, value) {
      messages.close(); // the choice is no part of a message that has just come
      model.set(name, value);
      // What a view asks Python for because of it goes first: the new state is long.
      if (isQueued) flush();
      save();
    },
    refused() {
      marks.named("waiting");
      flush();
    },
  });
  const experiment = createExperiment({
    ...{ mirror, replay, marks, waiting, shown: () => arrays.shown, flush, signal },
    ...{ ask: questions.ask, painting: createPainting(mirror, replay), canFree: canClear },
  });
  let isQueued = false;

  /** Send what is set; where there is no Python it stays in the model until there is. */
  function save() {
    if (!waiting.live) return;
    model.save_changes();
    waiting.asked();
  }
  function flush() {
    isQueued = false;
    for (const message of messages.take()) replay.receive(message);
    const isAnswer = replay.refresh() || marks.isNamed("shown");
    const change = marks.take();
    if (isAnswer) waiting.answered();
    else waiting.rest();
    const rows = change.all || change.inputs ? null : change.rows;
    const isReport = change.names.has("report");
    forget(rows, isReport);
    drawn.before.compare(isReport ? null : rows);
    experiment.look(change.names);
    for (const listener of [...listeners]) listener(change);
  }
  // One update message sets many traits one after the other: listeners hear of it once, when all are in.
  function enqueue() {
    if (isQueued) return;
    isQueued = true;
    queueMicrotask(() => isQueued && flush());
  }

  // A change that came before the page listened has rows that no array has; ask for the whole state.
  if (model.get("_change")?.from != null) questions.resync();
  const views = joined(numbers, drawn);
  return joined(views, experiment, createDrafts(mirror, replay), choices, {
    /** Whether a layer, head or stack is picked that Python has not sent yet. */
    get computing() {
      return waiting.live && isComputing();
    },
    /** Whether there is a Python that answers this page. */
    get live() {
      return waiting.live;
    },
    /** Whether Python has been asked and has said nothing for some seconds. */
    get late() {
      return waiting.late;
    },
    /** Commands that Python has not answered yet. */
    get pending() {
      return sync.pending.length;
    },
    /** A map (n_q, n_k) that is computed here by rows: all of it, or the row that is read. */
    derived,
    /** What follows from the arrays of the shown head, computed once until they change. */
    once,
    subscribe(listener: (change: Change) => void, until: AbortSignal) {
      listeners.add(listener);
      until.addEventListener("abort", () => listeners.delete(listener));
    },
    /** Ask Python for what is too large for a trait. */
    request: questions.ask,
    stopQuestion: questions.stop,
    /** Stops a generation while its cell runs. */
    stop: createStop(model as AnyModel<never>, signal),
  });
}
