/** The card of a comparison: the maps A, B and B − A, the marked cell in words, and the largest changes. */
import { createCanvasView } from "../../draw/canvas-view";
import { type MatrixActions, type Place, READ_ONLY } from "../../draw/matrix/gestures";
import type { Theme } from "../../draw/theme";
import type { Comparison } from "../../state/comparison";
import { createAlert } from "../../ui/alert";
import { fill, h, text } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { createMap, markedPlace, paintMaps } from "./maps";
import { change, describe } from "./words";

export function createComparison(
  root: HTMLElement,
  alert: HTMLElement,
  store: Comparison,
  theme: Theme,
  scope: Scope,
): void {
  const { get } = store;
  const { guard, guarded } = scope;
  const showError = createAlert(alert, () => store.set("error", ""), scope);
  const title = h("h2", { class: "aw-title" });
  const busy = h("span", { class: "aw-busy", role: "status", hidden: true });
  const controls = h("div", { class: "aw-controls" });
  const notice = h("p", { class: "aw-notice", role: "status" });
  const stage = h("div", { class: "aw-compare-maps" });
  const cell = h("p", { class: "aw-compare-cell", role: "status" });
  const changes = h("div", { class: "aw-compare-changes" });
  root.append(
    h("header", { class: "aw-head" }, title, controls, busy),
    notice,
    h("div", { class: "aw-stage" }, h("div", { class: "aw-body" }, stage, cell, changes)),
  );
  const pickers = (["stack", "layer", "head"] as const).map((name) => picker(name, store, scope));
  controls.append(...pickers.map(({ element }) => element));

  let reached: Place | null = null;
  let hovered: Place | null = null;
  let width = 0;
  const actions: Omit<MatrixActions, "leave"> = {
    ...READ_ONLY,
    hover(place) {
      hovered = place;
      mark();
    },
    reach(place) {
      reached = place;
      hovered = null;
      mark();
    },
    click: select,
  };
  const maps = get("labels").map(([name]) => {
    const map = createMap(name, actions, scope);
    stage.append(map.element);
    return map;
  });

  function select([row, column]: Place) {
    reached = null;
    store.set("selection", [row, column]);
  }

  /** Mark the first that exists of: the cell under the pointer, reached by keyboard, selected, changed most. */
  function mark() {
    const at = markedPlace(store, [hovered, reached, get("selection"), get("changes")[0]]);
    const words = describe(store, at);
    for (const map of maps) {
      map.light({ rows: [at[0]], cols: [at[1]], cells: [at] }, at === reached);
      if (!hovered) map.activate(at);
      map.say(words);
    }
    text(cell, words);
  }

  const picture = createCanvasView(
    stage,
    {
      arrange(room) {
        width = room;
        return true;
      },
      paint(colors) {
        paintMaps(maps, store, width, theme.dark, colors);
        mark();
      },
    },
    { ...scope, theme },
  );

  function update() {
    for (const { name, update } of pickers) {
      update();
      root.dataset[name] = `${store.shown[name]}`;
    }
    fill(changes, `${get("revision")}`, () =>
      get("changes").map((place) => {
        const [pair, by] = change(store, place);
        const button = h("button", {}, h("span", {}, pair), h("b", {}, by));
        button.addEventListener(
          "click",
          guarded(() => select(place)),
        );
        return button;
      }),
    );
    text(title, get("title"));
    text(notice, get("notice"));
    notice.hidden = !get("notice");
    busy.hidden = store.waitsFor === "";
    text(busy, store.waitsFor);
    showError(get("error"));
    root.dataset.revision = `${get("revision")}`;
    picture.request();
  }

  store.subscribe(() => guard(update));
  root.dataset.view = "compare";
  update();
  root.dataset.ready = "true";
}

function picker(name: "stack" | "layer" | "head", store: Comparison, { listen }: Scope) {
  const select = h("select");
  const element = h("label", {}, name, select);
  const offered = () => store.get("offered")[name];
  listen(select, "change", () => store.set(name, offered()[select.selectedIndex] as never));
  return {
    name,
    element,
    update() {
      const values = offered();
      fill(select, `${values}`, () => values.map((value) => h("option", {}, `${value}`)));
      select.selectedIndex = values.indexOf(store.shown[name] as never);
      element.hidden = values.length < 2;
    },
  };
}
