/** Numbers that were given in Python: what they are called, and the notice with Undo when they are replaced. */
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import type { Env } from "./view";

const WEIGHTS = { W_q: "Q", W_k: "K", W_v: "V" } as const;

/** For example ["given embeddings", "uniform weights, seed 0"]; a seed has a name only where it draws numbers. */
export function originWords(store: Store): string[] {
  const given = new Set(store.get("given"));
  if (["Q", "K", "V"].every((name) => given.has(name))) return ["given Q, K, V"];
  const inputs = store.get("key_tokens") ? ["embeddings", "key_embeddings"] : ["embeddings"];
  const givenInputs = inputs.filter((name) => given.has(name));
  const givenWeights = weightsGiven(store);
  const isDrawn = givenInputs.length < inputs.length || givenWeights.length < 3;
  const embeddings = givenInputs.length ? [`given ${givenInputs.join(" and ")}`] : [];
  const others = givenWeights.length ? ` but given ${givenWeights.join(", ")}` : "";
  const weights =
    givenWeights.length === 3 ? "given weights" : `${store.get("init")} weights${others}`;
  return [...embeddings, isDrawn ? `${weights}, seed ${store.get("seed")}` : weights];
}

/** The projections that were given, and those that are not used because their result was given. */
function weightsGiven(store: Store): string[] {
  const given = new Set(store.get("given"));
  return Object.entries(WEIGHTS).flatMap(([weights, result]) =>
    given.has(result) ? [result] : given.has(weights) ? [weights] : [],
  );
}

/** Show "given" in the menu of the weights where weights were given; choosing another entry draws them. */
export function showGiven(select: HTMLSelectElement, store: Store): void {
  const count = weightsGiven(store).length;
  const option =
    select.querySelector<HTMLOptionElement>("[data-given]") ??
    h("option", { value: "given", "data-given": true, disabled: true });
  if (count === 0) {
    option.remove();
    return;
  }
  text(option, count === 3 ? "given" : `${store.get("init")}, some given`);
  if (!option.isConnected) select.prepend(option);
  select.value = "given";
}

/** Whether "reset numbers" would change a number. */
export const canReset = (store: Store): boolean =>
  store.anyByHand || store.get("replaced").length > 0;

export function createReplaced(parent: HTMLElement, store: Store, { signal, listen }: Env): void {
  const words = h("span", {});
  const undo = h("button", { class: "aw-text-button" }, "Undo");
  const element = h("p", { class: "aw-replaced", role: "status", hidden: true }, words, " ", undo);
  parent.append(element);
  let names = store.get("replaced").join(", ");
  /** The revision that replaced the numbers: later, Undo would take back another edit. */
  let revision = 0;
  listen(undo, "click", () => (revision === store.get("revision") ? store.undo() : store.reset()));
  const update = () => {
    const now = store.get("replaced").join(", ");
    if (now !== names && now.length > names.length) revision = store.get("revision");
    names = now;
    element.hidden = now === "";
    text(words, `The given ${now} ${now.includes(",") ? "were" : "was"} replaced.`);
    text(undo, revision === store.get("revision") ? "Undo" : "bring back");
  };
  store.subscribe(update, signal);
  update();
}
