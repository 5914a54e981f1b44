/** The bug lab: switch on a known mistake, and list the properties of attention that no longer hold. */

import { invariants } from "../maths/invariants";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { decode } from "../wire/codec";
import { currentView, type Env, type Views } from "./view";

const MISTAKES = [
  "no-scale", "overflow", "wrong-axis", "keepdims", "mask-sign", "mask-after-softmax",
  "mask-multiplied", "not-transposed", "in-place",
]; // biome-ignore format: a table

export function createMistakes(
  parent: HTMLElement,
  store: Store,
  views: Views,
  { signal, listen }: Env,
): void {
  const select = h("select", { "aria-label": "mistake" });
  select.append(h("option", { value: "" }, "none"));
  select.append(...MISTAKES.map((name) => h("option", { value: name }, name)));
  listen(select, "change", () => store.ask("mistake", select.value || null));
  const title = "show the attention of code with this mistake";
  const label = h("label", { title }, h("span", {}, "bug lab"), select);
  const breaks = h("span", { class: "aw-breaks", role: "status" });
  const element = h("div", { class: "aw-mistakes" }, breaks, label);
  parent.append(element);

  function failedChecks(): string {
    const report = store.get("report");
    if (report?.kind !== "mistake") return "";
    if (!report.got) return "the code fails on these shapes; see the report below";
    const [rows, cols] = report.got.shape;
    const failed = invariants(decode(report.got), decode(report.mask), rows, cols)
      .filter(({ holds }) => !holds)
      .map(({ says }) => says);
    return failed.length
      ? `✗ ${failed.join(", ")}`
      : "no check fails on these numbers; see the report below";
  }
  const update = () => {
    const view = currentView(views, store);
    // The maps of a model are for looking: only the steps, or a mistake that is on, bring the selector.
    const isWanted =
      store.get("seed") !== null || view?.name === "steps" || store.get("mistake") !== null;
    element.hidden = !isWanted || !view?.parts.includes("mistakes");
    if (!store.asking) select.value = store.get("mistake") ?? "";
    text(breaks, failedChecks());
  };
  store.subscribe(update, signal);
  update();
}
