/** The fields of the experiments: each has an element that sets a value, and a function that shows the value. */
import { number } from "../explain/numbers";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { icon } from "../ui/icons";
import type { Scope } from "../ui/scope";
import type { Setting } from "../wire/schema";
import { createFieldError, labelOf } from "./field-error";
import { canReset, showGiven } from "./given";

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
  n_heads: "number of heads; each head has separate weights",
  seed: "seed of NumPy's generator: the same seed gives the same numbers",
  init: "how W_q, W_k and W_v are drawn",
  positional: "how the position of each token enters the attention",
};

/** Milliseconds within which the next tick of a slider belongs to the same undo step. */
const AT_ONCE = 800;

function field(name: string, label: string, title: string, ...inputs: HTMLElement[]) {
  const element = h("label", { class: `aw-field aw-field-${name}`, title });
  element.append(h("span", {}, label), ...inputs);
  return element;
}

/**
 * Send the typed value on Enter or when the box loses the focus; Escape restores the old value. A
 * refused value stays in the box and is selected. Return a function that shows the value.
 */
function bindInput(
  store: Store,
  { listen }: Scope,
  name: Setting,
  element: HTMLElement,
  input: HTMLInputElement,
  current: () => string,
) {
  const error = createFieldError(store, name, element, input);
  // While the user types, changes of the store do not replace the text.
  let isTyping = false;
  let valueAtRefusal = "";
  const setTyping = (on: boolean) => {
    isTyping = on;
    input.dataset.unsent = String(on); // the browser's own undo belongs to it
  };
  const show = () => {
    setTyping(false);
    error.hide();
    input.value = current();
  };
  listen(input, "input", () => setTyping(true));
  listen(input, "change", () => {
    setTyping(false);
    if (input.value === current()) error.hide();
    else
      store.ask(name, input.type === "number" && input.value ? Number(input.value) : input.value);
  });
  listen(input, "keydown", (event) => {
    event.stopPropagation(); // a key must not start a shortcut of the notebook
    if (event.key === "Escape") show();
  });
  return () => {
    if (error.look(input.value)) {
      valueAtRefusal = current();
      if (input.matches(":focus")) input.select();
    }
    const isRefused = error.isShown && valueAtRefusal === current();
    if (!isTyping && !isRefused) show();
  };
}

export function sentenceField(store: Store, scope: Scope, name: "tokens" | "key_tokens"): Field {
  const label = labelOf(name);
  const input = h("input", { type: "text", dir: "auto", "aria-label": label, spellcheck: "false" });
  const element = field(name, label, "type a sentence, then press Enter", input);
  const current = () => sentence(store.get(name) ?? []);
  const show = bindInput(store, scope, name, element, input, current);
  const update = () => {
    show();
    element.hidden = store.get(name) === null;
  };
  return { element, update };
}

export function numberField(
  store: Store,
  scope: Scope,
  name: (typeof SIZES)[number] | "seed",
  ...more: HTMLElement[]
): Field {
  const label = labelOf(name);
  const input = h("input", { type: "number", min: name === "seed" ? 0 : 1, "aria-label": label });
  if (name === "n_heads") input.max = "16";
  const element = field(name, label, TITLES[name], input, ...more);
  const current = () => String(store.get(name));
  return { element, update: bindInput(store, scope, name, element, input, current) };
}

export function choiceField(
  store: Store,
  { listen }: Scope,
  name: "init" | "positional",
  values: readonly string[],
): Field {
  const label = labelOf(name);
  const select = h("select", { "aria-label": label });
  select.append(...values.map((value) => h("option", { value }, value)));
  let asked = "";
  const element = field(name, label, TITLES[name], select);
  const error = createFieldError(store, name, element, select);
  listen(select, "change", () => {
    error.hide();
    asked = select.value;
    store.ask(name, asked);
  });
  listen(select, "blur", error.hide);
  const update = () => {
    error.look(asked);
    select.value = String(store.get(name));
    if (name === "init") showGiven(select, store);
  };
  return { element, update };
}

/** A button that sets a random seed. */
export function seedButton(store: Store, { listen }: Scope): HTMLElement {
  const label = "randomise: another seed";
  const props = { class: "aw-button", "aria-label": label, title: label };
  const button = h("button", props, icon("dice"));
  listen(button, "click", (event) => {
    event.preventDefault(); // the label around the button would focus the number
    store.ask("seed", Math.floor(Math.random() * 10_000));
  });
  return button;
}

export function temperatureField(store: Store, { listen }: Scope): Field {
  const output = h("output", {});
  const props = { type: "range", min: 0, max: 3, step: 0.05, "aria-label": "temperature" };
  const input = h("input", props);
  const title =
    "the softmax divides the scores by the temperature; at 0, the largest score gets all the weight";
  const element = field("temperature", "temperature", title, input, output);
  // A drag is one undo step, and so are the ticks of arrow keys that follow at once.
  let [stroke, last, isHeld] = [0, Number.NEGATIVE_INFINITY, false];
  listen(input, "pointerdown", () => {
    isHeld = true;
    stroke = store.stroke();
  });
  for (const kind of ["pointerup", "pointercancel"] as const) {
    listen(input, kind, () => {
      isHeld = false;
    });
  }
  listen(input, "input", ({ timeStamp }) => {
    if (!isHeld && timeStamp - last > AT_ONCE) stroke = store.stroke();
    last = timeStamp;
    store.ask("temperature", Number(input.value), stroke);
  });
  const update = () => {
    const T = store.get("temperature");
    // Python may set a temperature above 3: then the slider is extended.
    input.max = String(Math.max(3, T));
    input.value = String(T);
    text(output, number(T));
  };
  return { element, update };
}

export function scaleField(store: Store, { listen }: Scope): Field {
  const input = h("input", { type: "checkbox", "aria-label": "divide by √d_k" });
  const factor = h("span", { class: "aw-scale-of" });
  const element = field(
    "scale",
    "÷ √d_k",
    "on: scores are q·k ÷ √d_k; off: scores are q·k",
    input,
    factor,
  );
  listen(input, "change", () => store.ask("scale", input.checked ? null : 1));
  const update = () => {
    const { scale } = store;
    const isDefault = Math.abs(scale * Math.sqrt(store.get("d_k") ?? 1) - 1) < 1e-6;
    input.checked = isDefault;
    text(factor, isDefault || scale === 1 ? "" : `× ${number(scale)}`);
  };
  return { element, update };
}

export function resetField(store: Store, { listen }: Scope): Field {
  const element = h("button", { class: "aw-text-button" }, "reset numbers");
  element.title = "return to the numbers that the widget was made with";
  listen(element, "click", store.reset);
  const update = () => {
    element.disabled = !canReset(store);
  };
  return { element, update };
}

/** Join tokens to a sentence that splits into the same tokens: no space before closing marks or after opening brackets. */
function sentence(tokens: readonly string[]): string {
  return tokens
    .join(" ")
    .replace(/ ([.,;:!?…)\]}»”’])/g, "$1")
    .replace(/([([{«“‘]) /g, "$1");
}
