/** Two of the runs that were done: what changes in the output of the model from one to the other. */
import type { Store } from "../../state/store";
import { problem } from "../../state/waiting";
import { h, text } from "../../ui/dom";
import type { Effect } from "../../wire/schema";
import type { Env } from "../view";
import { createTable } from "./output";

/** `changed` is called when another run is chosen. */
export function createCompared(store: Store, env: Env, changed: () => void) {
  const words = h("p", { class: "aw-where", role: "status" });
  const table = createTable();
  const result = h("div", { hidden: true }, ...table.elements);
  const element = h("div", { class: "aw-run-compared", hidden: true }, words, result);
  /** The run that was chosen first, until a second is chosen. */
  let first: number | null = null;
  let asking: AbortController | null = null;
  env.signal.addEventListener("abort", () => asking?.abort());

  const nameOf = (at: number) => `“${store.get("runs")[at]?.name ?? ""}”`;

  async function compare(from: number, to: number, tokens: readonly string[]) {
    const own = new AbortController();
    asking = own;
    const position = store.get("effect_position");
    const question = { type: "compare_runs", first: from, second: to, position };
    try {
      const answer = await store.request(question, own.signal);
      const { effect } = answer.content as { effect: Effect };
      result.dataset.kind = effect.kind;
      table.update(effect, tokens);
      result.hidden = false;
      text(words, `Before: ${nameOf(from)}. After: ${nameOf(to)}.`);
    } catch (error) {
      if (!own.signal.aborted) text(words, problem("The comparison", error));
    }
  }

  return {
    element,
    get first() {
      return first;
    },
    /** Choose a run: the first of two, or the second, which is then compared with the first. */
    choose(at: number, tokens: readonly string[]) {
      asking?.abort();
      const from = first;
      first = from === null ? at : null;
      element.hidden = from === at;
      result.hidden = true;
      if (from === null) text(words, `Compare ${nameOf(at)} with another run: choose it.`);
      else if (from !== at) void compare(from, at, tokens);
      changed();
    },
  };
}
