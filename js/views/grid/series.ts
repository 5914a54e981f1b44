/** The grid asked for part by part: how far it is, a stop, and the way on. */

import type { Env } from "../../card/view";
import type { Store } from "../../state/store";
import { problem } from "../../state/waiting";
import { h, text } from "../../ui/dom";
import { type Head, type Message, read, whole } from "./data";

type Phase = "computing" | "stopped" | "failed" | "done";

export function createSeries(store: Store, { signal, listen }: Env, changed: () => void) {
  const count = h("span", {});
  const bar = h("progress", { max: 1, value: 0, "aria-label": "heads computed" });
  const button = h("button", { type: "button", class: "aw-grid-stop" });
  const said = h("span", { class: "aw-grid-error", role: "alert" });
  const element = h("div", { class: "aw-grid-progress", hidden: true }, count, bar, button, said);
  let heads: Head[] = [];
  let phase: Phase = "done";
  /** A stop was asked for, and an answer is still on its way. */
  let isStopping = false;
  let parts = 1;
  let next = 0;
  let series = new AbortController();

  function show(problem = "") {
    const total = store.layers.reduce((sum, layer) => sum + layer.n_heads, 0);
    const n = store.layers.length;
    text(count, `${whole(heads, store.layers)} of ${n} layer${n === 1 ? "" : "s"}`);
    bar.value = total ? heads.length / total : 0;
    const waits = phase === "computing" && isStopping;
    text(button, waits ? "stopping…" : phase === "computing" ? "Stop" : "Go on");
    button.disabled = waits;
    text(said, problem);
    element.hidden = phase === "done";
    element.dataset.phase = phase;
  }

  /** Ask for what is missing, until all is here, a stop, or another series. */
  async function go() {
    const mine = series;
    phase = "computing";
    isStopping = false;
    show();
    const { kind } = store.shown;
    const ask = (part: number) => {
      const answer = store.request({ type: "grid", kind, part }, mine.signal);
      answer.catch(() => {}); // a part asked for ahead may end before it is waited for
      return answer;
    };
    try {
      let answer = ask(next);
      while (phase === "computing") {
        const { content, buffers } = await answer;
        if (mine.signal.aborted) return;
        const message = content as Message;
        parts = message.parts;
        next++;
        // What was on its way when the button was pressed is kept, and nothing more is asked for.
        if (next >= parts) phase = "done";
        else if (isStopping) phase = "stopped";
        else answer = ask(next); // computed while this part is drawn
        heads = [...heads, ...read(message, buffers[0])];
        show();
        changed();
      }
    } catch (error) {
      if (mine.signal.aborted) return;
      phase = "failed";
      show(problem("The grid", error));
      changed();
    }
  }

  listen(button, "click", () => {
    if (phase === "computing") isStopping = true;
    else void go();
    show();
  });
  signal.addEventListener("abort", () => series.abort());

  return {
    element,
    get heads(): readonly Head[] {
      return heads;
    },
    /** Whether an answer is on its way. */
    get busy() {
      return phase === "computing";
    },
    /** Begin anew: another text, another stack, other numbers. */
    start() {
      series.abort();
      series = new AbortController();
      heads = [];
      next = 0;
      parts = 1;
      void go();
    },
  };
}
