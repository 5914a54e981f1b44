/** Asks Python for the grid part by part, and shows the progress with a button to stop and go on. */

import type { Env } from "../../card/view";
import type { Store } from "../../state/store";
import { problem } from "../../state/waiting";
import { h, text } from "../../ui/dom";
import { completeLayers, type Head, type Message, readHeads } from "./data";

type Phase = "computing" | "stopped" | "failed" | "done";

export function createSeries(store: Store, { signal, listen }: Env, changed: () => void) {
  const count = h("span", {});
  const bar = h("progress", { max: 1, value: 0, "aria-label": "heads computed" });
  const button = h("button", { class: "aw-grid-stop" });
  const errorText = h("span", { class: "aw-grid-error", role: "alert" });
  const element = h(
    "div",
    { class: "aw-grid-progress", hidden: true },
    count,
    bar,
    button,
    errorText,
  );
  let heads: Head[] = [];
  /** Whether the heads are those before an edit, which stand until their successors arrive. */
  let isOld = false;
  /** A number that grows when other heads take the place of the heads. */
  let version = 0;
  let phase: Phase = "done";
  /** The user has pressed Stop, and an answer is still on its way. */
  let isStopping = false;
  let parts = 1;
  let nextPart = 0;
  let series = new AbortController();

  function show(problem = "") {
    const total = store.layers.reduce((sum, layer) => sum + layer.n_heads, 0);
    const n = store.layers.length;
    text(count, `${completeLayers(heads, store.layers)} of ${n} layer${n === 1 ? "" : "s"}`);
    bar.value = total ? heads.length / total : 0;
    const isWaiting = phase === "computing" && isStopping;
    text(button, isWaiting ? "stopping…" : phase === "computing" ? "Stop" : "Go on");
    button.disabled = isWaiting;
    text(errorText, problem);
    element.hidden = phase === "done";
    element.dataset.phase = phase;
  }

  function clear() {
    heads = [];
    isOld = false;
    version++;
  }

  /** Ask for the missing parts until all have arrived, the user stops, or another series starts. */
  async function go() {
    const until = series.signal;
    phase = "computing";
    isStopping = false;
    show();
    const { stack } = store.shown;
    const ask = (part: number) => {
      const answer = store.request({ type: "grid", stack, part }, until);
      answer.catch(() => {}); // the request for the next part may fail before the code awaits it
      return answer;
    };
    try {
      let answer = ask(nextPart);
      while (phase === "computing") {
        const { content, buffers } = await answer;
        if (until.aborted) return;
        const message = content as Message;
        parts = message.parts;
        nextPart++;
        // After Stop, keep the answer that was on its way, and ask for nothing more.
        if (nextPart >= parts) phase = "done";
        else if (isStopping) phase = "stopped";
        else answer = ask(nextPart); // Python computes the next part while the page draws this part
        if (isOld) clear();
        heads = [...heads, ...readHeads(message, buffers[0])];
        show();
        changed();
      }
    } catch (error) {
      if (until.aborted) return;
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
    get version() {
      return version;
    },
    /** Whether the page is asking for parts. */
    get busy() {
      return phase === "computing";
    },
    /** Ask for all parts again. The heads of another text go at once; those before an edit stay meanwhile. */
    start(isEdit: boolean) {
      series.abort();
      series = new AbortController();
      if (isEdit) isOld = true;
      else clear();
      nextPart = 0;
      parts = 1;
      void go();
    },
  };
}
