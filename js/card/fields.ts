/** The fields of the experiments: each is an element that sets a value, and a function that shows it. */
import { number } from "../explain/numbers";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { icon } from "../ui/icons";
import type { Scope } from "../ui/scope";

export interface Field {
  element: HTMLElement;
  update(): void;
}

export const SIZES = ["d_model", "d_k", "d_v", "n_heads"] as const;
export const INITS = ["uniform", "normal", "identity", "orthogonal"];
export const POSITIONS = ["none", "sinusoidal", "rotary", "alibi"];
const TITLES = {
  d_model: "width of the embeddings",
  d_k: "width of a query and of a key",
  d_v: "width of a value",
  n_heads: "heads, each with weights of its own",
  seed: "the seed of NumPy's generator: the same seed, the same numbers",
  init: "how W_q, W_k and W_v are drawn",
  positional: "how attention is told where a token stands",
};

function field(name: string, label: string, title: string, ...inputs: HTMLElement[]) {
  const element = h("label", { class: `aw-field aw-field-${name}`, title });
  element.append(h("span", {}, label), ...inputs);
  return element;
}

/** Enter, or leaving the box, sends what was typed; Escape takes it back. */
function typed(
  { listen }: Scope,
  input: HTMLInputElement,
  shown: () => string,
  send: (value: string) => void,
) {
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

export function words(
  store: Store,
  scope: Scope,
  name: "tokens" | "key_tokens",
  label: string,
): Field {
  const input = h("input", { type: "text", "aria-label": label, spellcheck: "false" });
  const element = field(name, label, "type another one, then Enter", input);
  const shown = () => sentence(store.get(name) ?? []);
  const show = typed(scope, input, shown, (value) => store.ask(name, value));
  const update = () => {
    show();
    element.hidden = store.get(name) === null;
  };
  return { element, update };
}

export function whole(
  store: Store,
  scope: Scope,
  name: (typeof SIZES)[number] | "seed",
  ...more: HTMLElement[]
): Field {
  const input = h("input", { type: "number", min: name === "seed" ? 0 : 1, "aria-label": name });
  if (name === "n_heads") input.max = "16";
  const label = name === "n_heads" ? "heads" : name;
  const element = field(name, label, TITLES[name], input, ...more);
  const shown = () => String(store.get(name));
  const send = (value: string) => store.ask(name, value === "" ? value : Number(value));
  return { element, update: typed(scope, input, shown, send) };
}

export function choice(
  store: Store,
  { listen }: Scope,
  name: "init" | "positional",
  label: string,
  values: readonly string[],
): Field {
  const select = h("select", { "aria-label": label });
  select.append(...values.map((value) => h("option", { value }, value)));
  listen(select, "change", () => store.ask(name, select.value));
  const element = field(name, label, TITLES[name], select);
  const update = () => {
    select.value = String(store.get(name));
  };
  return { element, update };
}

/** The button that draws another seed. */
export function randomise(store: Store, { listen }: Scope): HTMLElement {
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

export function temperature(store: Store, { listen }: Scope): Field {
  const shown = h("output", {});
  const props = { type: "range", min: 0, max: 3, step: 0.05, "aria-label": "temperature" };
  const input = h("input", props);
  const title = "the scores are divided by it before the softmax; 0: the largest takes all";
  const element = field("temperature", "temperature", title, input, shown);
  listen(input, "input", () => store.ask("temperature", Number(input.value)));
  const update = () => {
    const T = store.get("temperature");
    // A temperature from Python may be beyond the slider: then the slider reaches as far.
    input.max = String(Math.max(3, T));
    input.value = String(T);
    text(shown, number(store.get("temperature")));
  };
  return { element, update };
}

export function scale(store: Store, { listen }: Scope): Field {
  const input = h("input", { type: "checkbox", "aria-label": "divide by √d_k" });
  const says = h("span", { class: "aw-scale-of" });
  const element = field("scale", "÷ √d_k", "off: the scores are q·k as it is", input, says);
  listen(input, "change", () => store.ask("scale", input.checked ? null : 1));
  const update = () => {
    const { scale } = store;
    const root = Math.abs(scale * Math.sqrt(store.get("d_k") ?? 1) - 1) < 1e-6;
    input.checked = root;
    text(says, root || scale === 1 ? "" : `× ${number(scale)}`);
  };
  return { element, update };
}

export function reset(store: Store, { listen }: Scope): Field {
  const element = h("button", { type: "button", class: "aw-text-button" }, "reset numbers");
  element.title = "take back every number set by hand";
  listen(element, "click", store.reset);
  const update = () => {
    element.disabled = !store.anyByHand;
  };
  return { element, update };
}

/** Tokens as a sentence that gives them again: no space before what closes. */
function sentence(tokens: readonly string[]): string {
  return tokens
    .join(" ")
    .replace(/ ([.,;:!?…)\]}»”’])/g, "$1")
    .replace(/([([{«“‘]) /g, "$1");
}
