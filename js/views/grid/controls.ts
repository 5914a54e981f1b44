/** The controls of the grid: the order, the statistic, and the smallest value that is shown. */
import type { Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { segmented } from "../../ui/segmented";
import { type Choice, type Head, statisticOf } from "./data";

/** The meaning and the source of each statistic, shortened from the docstrings in Python. */
const MEANINGS: Record<string, string> = {
  entropy:
    "mean entropy of a row in bits: 0 where each query looks at a single key (Clark et al. 2019)",
  distance: "how many tokens away a query looks on average (Vig and Belinkov 2019)",
  diagonal: "how much a query looks at itself (Clark et al. 2019)",
  "previous-token": "how much a query looks at the token before it (Clark et al. 2019)",
  "first-token": "how much a query looks at the first key, the sink (Xiao et al. 2023)",
  "duplicate-token": "how much a repeated token looks at its earlier occurrence (Wang et al. 2022)",
  induction:
    "how much a repeated token looks at the token after its earlier occurrence (Olsson et al. 2022)",
};

/** The part of the choice that no program sets. */
type Filter = Pick<Choice, "sink" | "threshold">;

export function createControls(store: Store, changed: () => void, scope: Scope) {
  const state: Choice = {
    order: "layer",
    statistic: "",
    ...((store.kept.get("grid") as Filter | undefined) ?? { sink: true, threshold: 0 }),
  };
  const order = segmented(
    "order",
    [
      { value: "layer", text: "layers × heads", title: "the order of the model" },
      { value: "statistic", text: "by statistic", title: "the largest value first" },
    ],
    (value) => store.set("grid_order", value),
    scope,
  );
  const select = h("select", { "aria-label": "statistic" });
  select.append(...Object.keys(MEANINGS).map((name) => h("option", { value: name }, name)));
  const meaning = h("span", { class: "aw-means" });
  const sink = h("input", { type: "checkbox", checked: !state.sink });
  const threshold = h("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.05,
    value: state.threshold,
    "aria-label": "at least, of the largest value",
  });
  const thresholdText = h("output", {});
  const show = () => {
    state.order = store.get("grid_order") as Choice["order"];
    state.statistic = store.get("grid_statistic");
    order.set(state.order);
    select.value = state.statistic;
    text(meaning, MEANINGS[state.statistic] ?? "");
    text(
      thresholdText,
      state.threshold === 0
        ? "all heads"
        : `${Math.round(state.threshold * 100)} % of the largest ${state.statistic}`,
    );
  };
  const on = (element: HTMLElement, kind: "change" | "input", act: () => void) =>
    scope.listen(element, kind, () => {
      act();
      store.kept.set("grid", { sink: state.sink, threshold: state.threshold });
      show();
      changed();
    });
  scope.listen(select, "change", () => store.set("grid_statistic", select.value));
  on(sink, "change", () => {
    state.sink = !sink.checked;
  });
  on(threshold, "input", () => {
    state.threshold = Number(threshold.value);
  });
  show();
  const title = "leave out the first key and rescale the rest of each row to a sum of 1";
  const element = h(
    "div",
    { class: "aw-grid-controls" },
    order.element,
    h("label", { class: "aw-field" }, h("span", {}, "statistic"), select),
    h("label", { class: "aw-field", title }, sink, h("span", {}, "without the first key")),
    h(
      "label",
      {
        class: "aw-field",
        title: "leave out heads below this share of the largest value of any head",
      },
      h("span", {}, "at least"),
      threshold,
      thresholdText,
    ),
    meaning,
  );
  return {
    element,
    state,
    show,
    /** Offer the statistics that have a value for at least one head. */
    offer(heads: readonly Head[]) {
      for (const option of select.options) {
        const values = heads.map((head) => statisticOf(head, option.value, state.sink));
        option.disabled = values.every((value) => value === null);
      }
    },
  };
}
