/** The text that a model generates: the prompt, each generated token with its probability, the state, and a button that stops. */
import { weight } from "../explain/numbers";
import { inText, visible } from "../explain/tokens";
import type { Store } from "../state/store";
import { disable, onPress } from "../ui/button";
import { h, text } from "../ui/dom";
import { keepInView } from "../ui/float";
import { radioStep } from "../ui/segmented";
import type { Generation } from "../wire/schema";
import type { Env } from "./view";

const STATES = {
  running: "generating…",
  done: "done:",
  stopped: "stopped after",
  full: "no room after",
  failed: "failed after",
};
const NO_STOP = "a running cell hears no message here; interrupt the kernel, which keeps the rows";

export function createGenerated(parent: HTMLElement, store: Store, env: Env): void {
  const button = (act: () => unknown) => {
    const element = h("button", { type: "button", class: "aw-text-button" });
    onPress(element, act, env);
    return element;
  };
  const generation = () => store.get("generation") as Generation;
  const state = h("b", { role: "status" });
  const count = h("span");
  let isStopping = false;
  const stop = button(() => {
    isStopping = true;
    update();
    return store.stop.send(generation().key).catch((error) => {
      isStopping = false;
      update();
      throw error;
    });
  });
  const value = h("span", { class: "aw-generated-value", role: "status" });
  let isOpen = false;
  const more = button(() => {
    isOpen = !isOpen;
    fold();
  });
  const bar = h("div", { class: "aw-generated-bar" }, state, count, stop, value, more);
  const prompt = h("span");
  const words = h(
    "p",
    {
      ...{ class: "aw-generated-text", role: "textbox", tabindex: 0, dir: "auto" },
      ...{ "aria-readonly": "true", "aria-multiline": "true", "aria-label": "generated text" },
    },
    prompt,
  );
  const element = h("div", { class: "aw-generated" }, bar, words);
  parent.append(element);
  const spans: HTMLElement[] = [];
  let active = -1;
  const floating = new AbortController();

  /** Say how probable a token was. */
  function show(i: number) {
    delete spans[active]?.dataset.active;
    active = i;
    const span = spans[i];
    if (span) span.dataset.active = "";
    const p = generation().probabilities[i] ?? null;
    const known = p === null ? "not known" : weight(p);
    const { textContent: token = "" } = span ?? {};
    text(value, span ? `“${inText(token.trim() || token)}” probability ${known}` : "");
  }

  const isAtEnd = () => words.scrollHeight - words.scrollTop - words.clientHeight < 4;

  /** `follows` is false where the reader has scrolled back in the unfolded text. */
  function fold(follows = true) {
    more.style.visibility = isOpen || words.scrollHeight > words.clientHeight + 2 ? "" : "hidden";
    text(more, isOpen ? "fold" : "unfold");
    element.dataset.open = more.ariaExpanded = String(isOpen);
    const isRunning = element.dataset.state === "running";
    if (isRunning && follows) words.scrollTop = words.scrollHeight;
  }

  function update() {
    const { tokens, probabilities, state: named } = generation();
    const isRunning = named === "running" && store.live;
    if (isRunning && !isStopping) store.stop.prepare();
    if (!isRunning) store.stop.end();
    if (!isRunning && !floating.signal.aborted) {
      floating.abort();
      bar.style.transform = bar.dataset.floats = "";
    }
    const name = isRunning || named !== "running" ? named : "stopped";
    element.dataset.state = name;
    text(state, isStopping && isRunning ? "stopping…" : STATES[name]);
    text(count, `${tokens.length} token${tokens.length === 1 ? "" : "s"}`);
    stop.hidden = !isRunning;
    const { isHeard } = store.stop;
    disable(stop, !isHeard || isStopping, isHeard ? "" : NO_STOP);
    const follows = !isOpen || isAtEnd();
    for (const token of tokens.slice(spans.length)) {
      // A token that cannot be seen or pointed at gets a sign.
      const span = h("span", { "data-mark": token.trim() ? null : visible(token) }, token);
      span.style.setProperty("--p", String(probabilities[spans.length] ?? 0));
      spans.push(span);
      words.append(span);
    }
    fold(follows);
  }

  text(stop, "stop");
  text(prompt, generation().prompt);
  env.listen(words, "pointerover", ({ target }) => show(spans.indexOf(target as HTMLElement)));
  for (const end of ["pointerleave", "blur"] as const) env.listen(words, end, () => show(-1));
  env.listen(words, "keydown", (event) => {
    const by = radioStep(event);
    if (by) show(Math.max(0, Math.min(spans.length - 1, active + by)));
  });
  env.onResize([words], () => fold(!isOpen));
  store.subscribe(({ names }) => {
    if (names.has("generation") || names.has("waiting")) update();
  }, env.signal);
  // The bar with the button stays in sight while the newest row is followed.
  const root = parent.closest<HTMLElement>(".aw-root") ?? parent;
  keepInView(bar, root, () => [], env.until(floating.signal));
  update();
}
