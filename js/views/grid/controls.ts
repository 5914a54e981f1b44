/** What the grid is ordered and filtered by. */
import { h, text } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { segmented } from "../../ui/segmented";
import { type Choice, type Head, statisticOf } from "./data";

/** What each statistic says of a head, and where it is from: Python's docstrings in a line. */
const MEANS: Record<string, string> = {
  entropy: "mean entropy of a row in bits: 0 looks at one key (Clark et al. 2019)",
  distance: "how many tokens away a query looks on average (Vig and Belinkov 2019)",
  diagonal: "how much a query looks at itself (Clark et al. 2019)",
  "previous-token": "how much a query looks at the token before it (Clark et al. 2019)",
  "first-token": "how much a query looks at the first key, the sink (Xiao et al. 2023)",
  "duplicate-token": "how much a repeated token looks at itself earlier (Wang et al. 2022)",
  induction: "how much a repeated token looks at what came after it earlier (Olsson et al. 2022)",
};

export function createControls(changed: () => void, scope: Scope) {
  const state: Choice = { order: "layer", statistic: "entropy", sink: true, least: 0 };
  const order = segmented(
    "order",
    [
      { value: "layer", text: "layers × heads", title: "the model's own order" },
      { value: "statistic", text: "by statistic", title: "the largest first" },
    ],
    (value) => {
      state.order = value as Choice["order"];
      order.set(value);
      changed();
    },
    scope,
  );
  order.set(state.order);
  const select = h("select", { "aria-label": "statistic" });
  select.append(...Object.keys(MEANS).map((name) => h("option", { value: name }, name)));
  const means = h("span", { class: "aw-means" });
  const sink = h("input", { type: "checkbox" });
  const least = h("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.05,
    value: 0,
    "aria-label": "at least",
  });
  const says = h("output", {});
  const show = () => {
    text(means, MEANS[state.statistic] ?? "");
    text(says, state.least === 0 ? "all" : `≥ ${Math.round(state.least * 100)} %`);
  };
  const on = (element: HTMLElement, kind: "change" | "input", act: () => void) =>
    scope.listen(element, kind, () => {
      act();
      show();
      changed();
    });
  on(select, "change", () => {
    state.statistic = select.value;
  });
  on(sink, "change", () => {
    state.sink = !sink.checked;
  });
  on(least, "input", () => {
    state.least = Number(least.value);
  });
  show();
  const title = "leave the first key out and make the rest of each row 1 again";
  const element = h(
    "div",
    { class: "aw-grid-controls" },
    order.element,
    h("label", { class: "aw-field" }, h("span", {}, "statistic"), select),
    h("label", { class: "aw-field", title }, sink, h("span", {}, "without the first key")),
    h(
      "label",
      { class: "aw-field", title: "share of the largest value" },
      h("span", {}, "at least"),
      least,
      says,
    ),
    means,
  );
  return {
    element,
    state,
    /** Offer what has a value here. */
    offer(all: readonly Head[]) {
      for (const option of select.options) {
        const values = all.map((head) => statisticOf(head, option.value, state.sink));
        option.disabled = values.every((value) => value === null);
      }
    },
  };
}
