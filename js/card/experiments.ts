/** What a lab changes: the sentence, the sizes, the weights, positions, temperature and scale. */

import { number } from "../explain/numbers";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { icon } from "../ui/icons";
import type { Env } from "./view";

const SIZES = ["d_model", "d_k", "d_v", "n_heads"] as const;
const INITS = ["uniform", "normal", "identity", "orthogonal"];
const POSITIONS = ["none", "sinusoidal", "rotary", "alibi"];
const TITLES = {
  d_model: "width of the embeddings",
  d_k: "width of a query and of a key",
  d_v: "width of a value",
  n_heads: "heads, each with weights of its own",
  seed: "the seed of NumPy's generator: the same seed, the same numbers",
  init: "how W_q, W_k and W_v are drawn",
  positional: "how attention is told where a token stands",
};

export function createExperiments(
  parent: HTMLElement,
  store: Store,
  { signal, listen }: Env,
): void {
  const summary = h("span", { class: "aw-settings" });
  const panel = h("details", { class: "aw-experiments" });
  const controls = h("div", { class: "aw-fields" });
  panel.append(h("summary", {}, h("b", {}, "Experiment"), summary), controls);
  parent.append(panel);
  const updates: (() => void)[] = [];

  words("tokens", "sentence");
  words("key_tokens", "keys from");
  for (const name of SIZES) whole(name);
  whole("seed", randomise());
  choice("init", "weights", INITS);
  choice("positional", "positions", POSITIONS);
  temperature();
  scale();
  reset();

  function field(name: string, label: string, title: string, ...inputs: HTMLElement[]) {
    const element = h("label", { class: `aw-field aw-field-${name}`, title });
    element.append(h("span", {}, label), ...inputs);
    controls.append(element);
    return element;
  }

  /** Enter, or leaving the box, sends what was typed; Escape takes it back. */
  function typed(input: HTMLInputElement, shown: () => string, send: (value: string) => void) {
    // What is being typed is left alone, whatever changes meanwhile.
    let typing = false;
    const show = () => {
      typing = false;
      input.value = shown();
    };
    listen(input, "input", () => {
      typing = true;
    });
    listen(input, "change", () => {
      typing = false;
      if (input.value !== shown()) send(input.value);
    });
    listen(input, "keydown", (event) => {
      event.stopPropagation(); // the notebook has shortcuts of its own
      if (event.key === "Escape") show();
    });
    return () => typing || show();
  }

  function words(name: "tokens" | "key_tokens", label: string) {
    const input = h("input", { type: "text", "aria-label": label, spellcheck: "false" });
    const element = field(name, label, "type another one, then Enter", input);
    const shown = () => sentence(store.get(name) ?? []);
    updates.push(
      typed(input, shown, (value) => store.ask(name, value)),
      () => {
        element.hidden = store.get(name) === null;
      },
    );
  }

  function whole(name: (typeof SIZES)[number] | "seed", ...more: HTMLElement[]) {
    const input = h("input", { type: "number", min: name === "seed" ? 0 : 1, "aria-label": name });
    if (name === "n_heads") input.max = "16";
    field(name, name === "n_heads" ? "heads" : name, TITLES[name], input, ...more);
    updates.push(
      typed(
        input,
        () => String(store.get(name)),
        (value) => store.ask(name, value === "" ? value : Number(value)),
      ),
    );
  }

  function choice(name: "init" | "positional", label: string, values: readonly string[]) {
    const select = h("select", { "aria-label": label });
    select.append(...values.map((value) => h("option", { value }, value)));
    listen(select, "change", () => store.ask(name, select.value));
    field(name, label, TITLES[name], select);
    updates.push(() => {
      select.value = String(store.get(name));
    });
  }

  function randomise() {
    const label = "randomise: another seed";
    const props = { type: "button", class: "aw-button", "aria-label": label, title: label };
    const button = h("button", props, icon("dice"));
    const act = (event: Event) => {
      event.preventDefault(); // the label around it would go to the number
      store.ask("seed", Math.floor(Math.random() * 10_000));
    };
    listen(button, "click", act);
    return button;
  }

  function temperature() {
    const shown = h("output", {});
    const props = { type: "range", min: 0, max: 3, step: 0.05, "aria-label": "temperature" };
    const input = h("input", props);
    const title = "the scores are divided by it before the softmax; 0: the largest takes all";
    field("temperature", "temperature", title, input, shown);
    listen(input, "input", () => store.ask("temperature", Number(input.value)));
    updates.push(() => {
      const T = store.get("temperature");
      // A temperature from Python may be beyond the slider: then the slider reaches as far.
      input.max = String(Math.max(3, T));
      input.value = String(T);
      text(shown, number(store.get("temperature")));
    });
  }

  function scale() {
    const input = h("input", { type: "checkbox", "aria-label": "divide by √d_k" });
    const says = h("span", { class: "aw-scale-of" });
    field("scale", "÷ √d_k", "off: the scores are q·k as it is", input, says);
    listen(input, "change", () => store.ask("scale", input.checked ? null : 1));
    updates.push(() => {
      const { scale } = store;
      const root = Math.abs(scale * Math.sqrt(store.get("d_k") ?? 1) - 1) < 1e-6;
      input.checked = root;
      text(says, root || scale === 1 ? "" : `× ${number(scale)}`);
    });
  }

  function reset() {
    const button = h("button", { type: "button", class: "aw-text-button" }, "reset numbers");
    button.title = "take back every number set by hand";
    listen(button, "click", store.reset);
    controls.append(button);
    updates.push(() => {
      button.disabled = !store.anyByHand;
    });
  }

  function update() {
    panel.hidden = store.get("seed") === null || !["heatmap", "steps"].includes(store.get("view"));
    if (panel.hidden) return;
    // What was just set is shown until Python has answered: its traits are still the old ones.
    if (!store.asking) for (const each of updates) each();
    const [seed, init, positional] = [
      store.get("seed"),
      store.get("init"),
      store.get("positional"),
    ];
    const T = store.get("temperature");
    const parts = [
      `d_model ${store.get("d_model")}`,
      `d_k ${store.get("d_k")}`,
      `d_v ${store.get("d_v")}`,
      `heads ${store.get("n_heads")}`,
      `${init} weights, seed ${seed}`,
      positional === "none" ? "no positions" : `${positional} positions`,
      ...(T === 1 ? [] : [`temperature ${number(T)}`]),
      ...(store.anyByHand ? ["numbers set by hand"] : []),
    ];
    text(summary, parts.join(" · "));
  }
  store.subscribe(update, signal);
  update();
}

/** Tokens as a sentence that gives them again: no space before what closes. */
function sentence(tokens: readonly string[]): string {
  return tokens
    .join(" ")
    .replace(/ ([.,;:!?…)\]}»”’])/g, "$1")
    .replace(/([([{«“‘]) /g, "$1");
}
