/** What the knock-outs change in the model's output. The panel keeps its last numbers while the model runs. */
import { effectNumber, runWords } from "../../explain/knock-outs";
import { reachOf } from "../../state/knockouts";
import type { Store } from "../../state/store";
import { needsPython } from "../../state/waiting";
import { onPress } from "../../ui/button";
import { h, text } from "../../ui/dom";
import { segmented } from "../../ui/segmented";
import type { Effect } from "../../wire/schema";
import type { Env } from "../view";
import { createLists } from "./lists";
import { createOutput } from "./output";
import { createScan } from "./scan";

/** A run that is shorter shows nothing of itself. */
const AT_ONCE = 100;
const MAPS = [
  { value: "before", text: "before", title: "the maps without the knock-outs" },
  { value: "after", text: "after", title: "the maps with the knock-outs" },
  { value: "difference", text: "Δ", title: "the map after minus the map before" },
];
const EMPTY =
  "Nothing is knocked out. A click on a cell of the map takes its edge out of the model, which runs again without it.";

export function createEffect(parent: HTMLElement, store: Store, env: Env): void {
  const number = h("b", { class: "aw-run-number" });
  const words = h("span", { class: "aw-run-words", role: "status" });
  const again = h("button", { class: "aw-text-button" }, "run again");
  onPress(again, store.runAgain, env);
  const maps = segmented("maps of the run", MAPS, (value) => showMaps(store, value), env);
  const switches = h("div", { class: "aw-scale" }, h("span", {}, "maps"), maps.element);
  const reach = h("p", { class: "aw-where aw-run-reach" });
  const output = createOutput(store, env);
  const lists = createLists(store, env, () => output.tokens);
  const element = h("section", { class: "aw-run", "aria-label": "effect of the knock-outs" });
  const title = h("h3", {}, "Effect");
  const head = h("div", { class: "aw-run-head" }, title, number, words, again, switches);
  const body = h("div", { class: "aw-run-body" }, output.element, lists.element);
  element.append(head, reach, body, lists.compared);
  // A scan is asked of the same Python that has the text.
  if (store.get("input_text") != null && !store.saved) element.append(createScan(store, env));
  parent.append(element);
  /** The last effect: it stands until the next run has ended. */
  let effect: Effect | null = null;
  let wasUsed = false;
  let isLong = false;
  let cancel: (() => void) | null = null;

  function time() {
    if (store.running && !cancel) {
      cancel = env.after(AT_ONCE, () => {
        isLong = true;
        update();
      });
    } else if (!store.running) {
      cancel?.();
      cancel = null;
      isLong = false;
    }
  }

  function update() {
    time();
    const state = store.runState;
    const isIdle = store.get("knockouts").length === 0;
    effect = store.get("effect") ?? (isIdle ? null : effect);
    wasUsed ||= !isIdle || store.get("runs").length > 0;
    element.dataset.state = state?.state ?? "idle";
    element.dataset.used = String(wasUsed);
    element.dataset.running = String(isLong);
    element.dataset.empty = String(effect === null);
    element.closest<HTMLElement>(".aw-root")?.setAttribute("data-running", String(isLong));
    text(number, effect ? effectNumber(effect) : "");
    const shown =
      state && (store.running ? isLong && { ...state, state: "running" as const } : state);
    text(words, shown ? runWords(shown) : (words.textContent ?? ""));
    again.hidden = store.running || !["stopped", "failed"].includes(state?.state ?? "");
    text(reach, effect ? reachWords(store, effect) : isIdle ? store.whyNoKnockOut || EMPTY : "");
    maps.set(store.wantsRunDifference ? "difference" : store.get("shown_run"));
    const why = store.saved || !store.live ? needsPython("the maps of the other run") : "";
    maps.offer(
      MAPS.map(({ value }) => value),
      () => (isIdle ? "nothing is knocked out: before and after are the same" : why),
    );
    output.update(effect);
    lists.update();
  }
  env.theme.subscribe(update, env.signal);
  store.subscribe(update, env.signal);
  update();
}

function showMaps(store: Store, value: string): void {
  store.showRunDifference(value === "difference");
  if (value !== "difference") store.set("shown_run", value as "before" | "after");
}

/** Which part of the map on screen the knock-outs can change. */
function reachWords(store: Store, effect: Effect): string {
  const { stack, layer } = store.shown;
  const from = reachOf(effect, stack, layer);
  if (from === "nowhere") {
    return `Layer ${layer} comes before the knock-outs: its maps are certain to be as before.`;
  }
  if (from === "all") return `The knock-outs can change every row of the maps of layer ${layer}.`;
  const last = from - 1;
  const rows = last === 0 ? "Row 0 of" : `Rows 0 to ${last} of`;
  const verb = last === 0 ? "is" : "are";
  return `${rows} the maps of layer ${layer} ${verb} certain to be as before; the rows beside the bar can change.`;
}
