/** A comparison on its card: A, B and B − A, the marked cell in words, the largest changes. */
import { cssColor, lut, signedLut } from "../../draw/color";
import { type Block, TITLE } from "../../draw/matrix/block";
import { type Place, READ_ONLY } from "../../draw/matrix/gestures";
import { createMatrix } from "../../draw/matrix/matrix";
import { LABEL } from "../../draw/matrix/paint";
import { palette } from "../../draw/palette";
import type { Theme } from "../../draw/theme";
import { number } from "../../explain/numbers";
import { largest } from "../../maths/extent";
import type { Comparison } from "../../state/comparison";
import { createAlert } from "../../ui/alert";
import { fill, h, text } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { watchDensity } from "../heatmap/density";
import { blocks } from "./blocks";
import { change, describe } from "./words";

/** Drawn as nothing, where labels would touch. */
const BLANK = "\u2060";

export function createComparison(
  root: HTMLElement,
  alert: HTMLElement,
  store: Comparison,
  theme: Theme,
  scope: Scope,
): void {
  const { get } = store;
  const { signal, listen, guard, guarded } = scope;
  const tell = createAlert(alert, () => store.set("error", ""), scope);
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
    h("div", { class: "aw-body" }, stage, cell, changes),
  );
  const pickers = (["kind", "layer", "head"] as const).map(picker);

  let reached: Place | null = null;
  let hovered: Place | null = null;
  let width = 0;
  const matrices = get("labels").map(([name]) => {
    const actions = {
      ...READ_ONLY,
      hover(place: Place | null) {
        hovered = place;
        mark();
      },
      reach(place: Place) {
        reached = place;
        hovered = null;
        mark();
      },
      click: select,
      undo() {},
      leave: () => made.grid.blur(),
    };
    const made = createMatrix(name, false, actions, scope);
    const gaps = h("div", { class: "aw-gaps" });
    const bar = h("div", { class: "aw-compare-bar" });
    made.grid.append(gaps);
    made.element.append(bar);
    stage.append(made.element);
    return { ...made, gaps, bar };
  });

  function picker(name: "kind" | "layer" | "head") {
    const select = h("select");
    const element = h("label", {}, name === "kind" ? "stack" : name, select);
    listen(select, "change", () =>
      store.set(name, get("offered")[name][select.selectedIndex] as never),
    );
    controls.append(element);
    return () => {
      const values = get("offered")[name];
      fill(select, `${values}`, () => values.map((value) => h("option", {}, `${value}`)));
      select.selectedIndex = values.indexOf(store.shown[name] as never);
      element.hidden = values.length < 2;
      root.dataset[name] = `${store.shown[name]}`;
    };
  }

  function select([row, column]: Place) {
    reached = null;
    store.set("selection", [row, column]);
  }

  /** The cell under the pointer, else the one reached by keyboard, else the selected. */
  function mark() {
    const wanted = [hovered, reached, get("selection"), get("changes")[0]];
    const at = wanted.find((one) => one && get("rows")[one[0]] && get("columns")[one[1]]) ?? [0, 0];
    const said = describe(store, at);
    for (const made of matrices) {
      made.light({ rows: [at[0]], cols: [at[1]], cells: [at] }, at === reached);
      if (!hovered) made.activate(at);
      made.say(said);
    }
    text(cell, said);
  }

  function paint() {
    // Out of sight it is as wide as it was: JupyterLab hides all of a page while it changes themes.
    width = stage.clientWidth || width;
    const colors = palette(stage);
    // The stylesheet comes a moment after the card.
    if (!width) return;
    if (!colors.font) request();
    const context = h("canvas").getContext("2d") as CanvasRenderingContext2D;
    context.font = `${LABEL}px ${colors.font}`;
    const [rows, columns] = [get("rows"), get("columns")];
    const [queries, keys] = [rows.map((pair) => pair[2]), columns.map((pair) => pair[2])];
    const widest = (names: string[]) => largest(names.map((n) => context.measureText(n).width));
    const [n, m] = [rows.length, columns.length];
    const placed = blocks(width, n, m, widest(queries), widest(keys));
    const { a, b, masked, difference } = store.maps;
    const [top, most] = get("peaks");
    [a, b, difference].forEach((values, i) => {
      const made = matrices[i] as (typeof matrices)[number];
      const block = placed[i] as Block;
      const sides = i === 2 ? [0, 1] : [i];
      const table = i === 2 ? signedLut(theme.dark) : lut(get("cmap"));
      const value = (r: number, c: number) => values[r * m + c] || 0;
      const step = Math.ceil((LABEL + 2) / block.cw);
      const [title, note] = get("labels")[i] as [string, string];
      made.place(block);
      made.describe(`${title}: ${note}`, { title, shape: "", note, hand: false, mistake: "" });
      made.paint(
        {
          share(r, c) {
            if (sides.every((side) => masked[side]?.[r * m + c])) return null;
            const v = value(r, c);
            return i === 2 ? 0.5 + (v && v / most / 2) : v && v / top;
          },
          value: (r, c) => Math.round(value(r, c) * 100) / 100 || 0,
          table,
          largest: 1,
          signed: i === 2,
          exact: true,
          marked: () => false,
          queries,
          keys: keys.map((key, c) => (c % step ? BLANK : key)),
        },
        colors,
      );
      // A token that a side does not have is a gap across the map.
      const gaps = (pairs: typeof rows, start: string, size: string) =>
        pairs.flatMap((pair, at) => {
          const share = 100 / pairs.length;
          const style = `${start}:${at * share}%;${size}:${share}%`;
          return sides.some((side) => pair[side] === null) ? h("i", { style }) : [];
        });
      made.gaps.style.inset = `${block.top - TITLE}px 0 2px ${block.left}px`;
      made.gaps.replaceChildren(...gaps(rows, "top", "height"), ...gaps(columns, "left", "width"));
      const stops = [...Array(17).keys()].map((at) => cssColor(table, at / 16));
      const ends = i === 2 ? [-most, 0, most] : [0, top];
      made.bar.replaceChildren(...ends.map((end) => h("span", {}, number(end))));
      made.bar.style.cssText = `margin-left:${block.left}px;--aw-ramp:${stops}`;
    });
    mark();
  }
  const request = scope.frame(paint);

  function update() {
    for (const renew of pickers) renew();
    fill(changes, `${get("revision")}`, () =>
      get("changes").map((place) => {
        const [pair, by] = change(store, place);
        const button = h("button", { type: "button" }, h("span", {}, pair), h("b", {}, by));
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
    tell(get("error"));
    root.dataset.revision = `${get("revision")}`;
    request();
  }

  theme.subscribe(request, signal);
  watchDensity(request, scope);
  scope.onResize([stage], request);
  store.subscribe(() => guard(update));
  root.dataset.view = "compare";
  update();
  root.dataset.ready = "true";
}
