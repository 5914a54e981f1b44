/** The panel of experiments: sentence, sizes, weights, positions, temperature and scale. */
import { number } from "../explain/numbers";
import type { Store } from "../state/store";
import { needsPython } from "../state/waiting";
import { h, text } from "../ui/dom";
import {
  choiceField,
  INITS,
  numberField,
  POSITIONS,
  resetField,
  SIZES,
  scaleField,
  seedButton,
  sentenceField,
  temperatureField,
} from "./fields";
import { createReplaced, originWords } from "./given";
import type { Env } from "./view";

export function createExperiments(parent: HTMLElement, store: Store, env: Env): void {
  const drawn = [
    sentenceField(store, env, "tokens"),
    sentenceField(store, env, "key_tokens"),
    ...SIZES.map((name) => numberField(store, env, name)),
    numberField(store, env, "seed", seedButton(store, env)),
    choiceField(store, env, "init", INITS),
    choiceField(store, env, "positional", POSITIONS),
  ];
  const fields = [
    ...drawn,
    temperatureField(store, env),
    scaleField(store, env),
    resetField(store, env),
  ];
  const summary = h("span", { class: "aw-settings" });
  const panel = h("details", { class: "aw-experiments" });
  panel.append(
    h("summary", {}, h("b", {}, "Experiment"), summary),
    h("div", { class: "aw-fields" }, ...fields.map(({ element }) => element)),
  );
  if (store.saved) {
    for (const { element } of drawn) lock(element);
    panel.append(h("p", { class: "aw-where" }, `${UNSAVED}.`));
  }
  parent.append(panel);
  createReplaced(parent, store, env);

  function update() {
    panel.hidden = store.get("seed") === null;
    if (panel.hidden) return;
    // Until Python has answered, the traits are old, so the fields keep the new values.
    if (!store.asking) for (const field of fields) field.update();
    text(summary, settings(store));
  }
  store.subscribe(update, env.signal);
  update();
}

const UNSAVED = needsPython("another sentence, other sizes, a seed, weights, positions");

/** Disable a field of a saved page, because only Python draws other numbers. */
function lock(element: HTMLElement): void {
  element.title = UNSAVED;
  for (const input of element.querySelectorAll<HTMLInputElement>("input, select, button")) {
    input.disabled = true;
  }
}

/** The settings in one line. */
function settings(store: Store): string {
  const positional = store.get("positional");
  const T = store.get("temperature");
  const parts = [
    `d_model ${store.get("d_model")}`,
    `d_k ${store.get("d_k")}`,
    `d_v ${store.get("d_v")}`,
    `heads ${store.get("n_heads")}`,
    ...originWords(store),
    positional === "none" ? "no positions" : `${positional} positions`,
    ...(T === 1 ? [] : [`temperature ${number(T)}`]),
    ...(store.anyByHand ? ["numbers set by hand"] : []),
  ];
  return parts.join(" · ");
}
