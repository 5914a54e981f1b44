/** The text that a model has read, and the steps of a training: another text, or another step, is another run. */
import { createFieldMessage } from "../draw/field-message";
import type { Store } from "../state/store";
import { needsPython, problem } from "../state/waiting";
import { h, text } from "../ui/dom";
import type { Env } from "./view";

const TITLE = "type another text, then press Enter: the model runs on it";

/** Nothing is added for a card without a model of text. */
export function createModelText(parent: HTMLElement, store: Store, env: Env): void {
  const element = h("div", { class: "aw-model-text" });
  if (store.get("input_text") != null) createText(element, store, env);
  createCheckpoints(element, store, env);
  parent.append(element);
  const update = () => {
    element.hidden = [...element.querySelectorAll("label")].every((field) => field.hidden);
  };
  store.subscribe(update, env.signal);
  update();
}

const textsOf = (store: Store): string[] => [store.get("input_text") ?? ""].flat();

function createText(parent: HTMLElement, store: Store, { listen, signal }: Env): void {
  const texts = textsOf(store);
  const inputs = texts.map((_, i) => {
    const label = texts.length === 1 ? "text" : `text ${"AB"[i]}`;
    const input = h("input", { type: "text", dir: "auto", "aria-label": label, title: TITLE });
    input.spellcheck = false;
    return input;
  });
  const words = texts.length === 1 ? ["text"] : ["text A", "text B"];
  const fields = inputs.map((input, i) =>
    h("label", { class: "aw-field aw-field-text" }, h("span", {}, words[i]), input),
  );
  parent.append(...fields);
  const message = createFieldMessage(fields[0], inputs[0]);
  let isTyping = false;
  /** The question that is under way; a newer text takes its place. */
  let asking: AbortController | null = null;
  signal.addEventListener("abort", () => asking?.abort());

  function show() {
    const now = textsOf(store);
    inputs.forEach((input, i) => {
      if (!isTyping && !asking) input.value = now[i] ?? "";
      input.disabled = store.saved;
      input.title = store.saved ? needsPython("another text") : TITLE;
    });
    const root = parent.closest<HTMLElement>(".aw-root");
    if (root) root.dataset.reading = String(asking !== null);
  }

  async function run() {
    const typed = inputs.map(({ value }) => value);
    if (typed.join("\n") === textsOf(store).join("\n")) return message.hide();
    asking?.abort();
    const own = new AbortController();
    asking = own;
    isTyping = false;
    message.hide();
    show();
    try {
      await store.request({ type: "run", text: typed.length === 1 ? typed[0] : typed }, own.signal);
    } catch (error) {
      if (own.signal.aborted) return;
      // The refused text stays in the box.
      isTyping = true;
      message.show(problem("The run", error).replace(/^The run failed: /, ""));
    }
    if (asking === own) asking = null;
    show();
  }

  for (const input of inputs) {
    const setTyping = (on: boolean) => {
      isTyping = on;
      input.dataset.unsent = String(on); // the browser's own undo belongs to it
    };
    listen(input, "input", () => setTyping(true));
    listen(input, "keydown", (event) => {
      event.stopPropagation(); // a key must not start a shortcut of the notebook
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        setTyping(false);
        void run();
      } else if (event.key === "Escape") {
        setTyping(false);
        message.hide();
        show();
      }
    });
  }
  store.subscribe(({ names }) => {
    if (names.has("input_text")) isTyping = false;
    show();
  }, signal);
  show();
}

function createCheckpoints(parent: HTMLElement, store: Store, { listen, signal }: Env): void {
  const props = { type: "range", min: 0, step: 1, "aria-label": "step of the training" };
  const input = h("input", props);
  const output = h("output", {});
  const element = h("label", { class: "aw-field aw-field-checkpoint" });
  element.append(h("span", {}, "training step"), input, output);
  parent.append(element);
  listen(input, "input", () => {
    const step = store.get("checkpoints")[Number(input.value)];
    if (step !== undefined) store.set("checkpoint", step);
    text(output, String(step ?? ""));
  });
  const update = () => {
    const steps = store.get("checkpoints") ?? [];
    const step = store.get("checkpoint") ?? null;
    element.hidden = steps.length === 0;
    input.max = String(Math.max(0, steps.length - 1));
    if (!input.matches(":active")) {
      input.value = String(step === null ? steps.length - 1 : steps.indexOf(step));
      text(output, step === null ? "" : String(step));
    }
    input.disabled = store.saved || !store.live;
    input.title = input.disabled ? needsPython("the maps of another step") : "";
  };
  store.subscribe(update, signal);
  update();
}
