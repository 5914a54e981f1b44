/** The heatmap: queries down, keys across, and every cell a switch. */

import { createHeads } from "../../card/heads";
import { createInspector } from "../../card/inspector";
import type { Env, View } from "../../card/view";
import { type Lut, lut, signedLut } from "../../draw/color";
import { palette } from "../../draw/palette";
import { offered, QUANTITIES, quantityAt, shownQuantity } from "../../state/quantity";
import type { Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import type { Cell } from "../../ui/focus";
import { segmented } from "../../ui/segmented";
import type { ColorScale, Quantity } from "../../wire/schema";
import { watchDensity } from "./density";
import type { Geometry } from "./geometry";
import { listenToKeys } from "./keyboard";
import { type Marks, paintOverlay } from "./overlay";
import { createImage, isSigned, isWeights, paintMap, shownScale } from "./paint";
import { listenToPointer } from "./pointer";
import { createSurface } from "./surface";
import { describe, labelTitle, opening, rowIsEmpty } from "./words";

export const view: View = {
  name: "heatmap",
  label: "Heatmap",
  needs: [],
  parts: ["edits", "lab", "foot", "layer", "head"],
  keys: [
    ["←↑↓→", "move"],
    ["space", "mask"],
    ["shift", "extend"],
    ["drag", "paint"],
  ],
  mount(host, card) {
    const map = h("div", { class: "aw-map-column" });
    const inspector = h("aside", { class: "aw-inspector", "aria-label": "the marked cell" });
    host.append(map, inspector);
    createHeatmap(map, card.store, card);
    createHeads(map, card.store, card);
    createInspector(inspector, card.store, card);
  },
};

function createHeatmap(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, listen, focus, theme } = env;
  const surface = createSurface();
  const { map, over, row, gridcell, baseContext, overContext } = surface;
  const readout = h("div", { class: "aw-readout", role: "status", "aria-live": "polite" });
  const scale = segmented(
    "colour scale",
    [
      { value: "unit", text: "0–1", title: "colours from 0 to 1" },
      { value: "row", text: "row", title: "colours up to each row's own maximum" },
      { value: "map", text: "map", title: "colours up to the map's own maximum" },
    ],
    (value) => store.set("color_scale", value as ColorScale),
    env,
  );
  const quantity = segmented(
    "colours show",
    QUANTITIES,
    (value) => store.set("quantity", value as Quantity),
    env,
  );
  const about = h("p", { class: "aw-where aw-about" });
  const of = h("div", { class: "aw-scale" }, h("span", {}, "colours show"), quantity.element);
  parent.append(
    map,
    h(
      "div",
      { class: "aw-scales" },
      h("div", { class: "aw-scale" }, h("span", {}, "colour scale"), scale.element),
      of,
    ),
    about,
    readout,
  );

  const image = createImage();
  const colours = () => (isSigned(store) ? signedLut(theme.dark) : lut(store.get("cmap")));
  let table: Lut = colours();
  let geometry: Geometry | null = null;
  let dirty: Set<number> | "all" | null = "all";
  let relayout = true;
  let painted = 0;
  let marked = "";
  let overlaid = false;
  let empty: number[] = [];
  let active: Cell = store.get("selection") ?? opening(store);
  let anchor: Cell | null = null;
  const marks: Marks = { cell: null, row: null, column: null, range: null, keyboard: false };

  function arrange(): Geometry | null {
    parent.classList.toggle("aw-many", store.nK > 12);
    parent.classList.toggle("aw-crowd", store.nK > 30);
    const width = parent.clientWidth;
    return width === 0 ? null : surface.arrange(width, store.tokens, store.keyTokens);
  }

  function paint() {
    if (relayout) {
      // Out of sight there is no room to lay it out in: what was drawn stays until there is.
      const arranged = arrange();
      if (arranged) {
        geometry = arranged;
        relayout = false;
        dirty = "all";
      }
    }
    if (!geometry) return;
    const colors = palette(map);
    if (dirty) {
      // On the map's own scale one changed row may change every colour.
      const all = dirty === "all" || shownScale(store) === "map";
      const rows = all ? null : (dirty as Set<number>);
      const ceiling = image.update(store, table, colors.masked, rows);
      paintMap(baseContext, geometry, store, image, table, colors, ceiling, rows);
      const blind = Array.from({ length: store.nQ }, (_, q) => q).filter((q) =>
        rowIsEmpty(store, q),
      );
      if (all || blind.join() !== empty.join()) overlaid = false;
      empty = blind;
      dirty = null;
      map.dataset.painted = String(++painted);
    }
    if (!overlaid) paintOverlay(overContext, geometry, colors, marks, empty);
    overlaid = true;
  }

  const request = env.frame(paint);

  /** Show the marks, if they are others than those shown. */
  function mark() {
    const { cell } = marks;
    const place = JSON.stringify(marks);
    if (place !== marked) {
      marked = place;
      overlaid = false;
      request();
    }
    const value = cell && quantityAt(store, cell[0], cell[1])?.toFixed(4);
    map.dataset.hover = cell ? cell.join() : "";
    map.dataset.value = value ?? "";
  }

  function activate(cell: Cell) {
    active = [Math.min(cell[0], store.nQ - 1), Math.min(cell[1], store.nK - 1)];
    const [q, k] = active;
    row.setAttribute("aria-rowindex", String(q + 1));
    gridcell.setAttribute("aria-colindex", String(k + 1));
    gridcell.setAttribute("aria-readonly", String(Boolean(store.locked?.[q * store.nK + k])));
    const said = describe(store, active);
    gridcell.setAttribute("aria-label", said);
    map.dataset.active = active.join();
    return said;
  }

  function say(said: string) {
    text(readout, said);
  }

  /** The choices as they are: distances have no scale from 0 to 1, given weights no effect. */
  function settle() {
    const choices = offered(store);
    map.setAttribute("aria-label", `${shownQuantity(store).name}: queries down, keys across`);
    quantity.offer(choices);
    quantity.set(shownQuantity(store).value);
    of.hidden = choices.length < 2;
    text(about, shownQuantity(store).about);
    about.hidden = isWeights(store);
    scale.offer(
      isSigned(store) ? ["map"] : isWeights(store) ? ["unit", "row", "map"] : ["row", "map"],
    );
    scale.set(shownScale(store));
  }

  const inside = (cell: Cell) => cell[0] < store.nQ && cell[1] < store.nK;

  function rest() {
    // Nothing under the pointer: the cell reached by keyboard, or the selected one, is what counts.
    const selection = store.get("selection");
    const selected = selection && inside(selection) ? selection : opening(store);
    marks.cell = marks.keyboard && inside(active) ? active : selected;
    marks.row = marks.column = null;
    focus.set(marks.cell);
    mark();
  }

  listenToPointer(
    over,
    store,
    () => geometry,
    {
      hover(cell, hoveredRow, column) {
        if (!cell && hoveredRow === null && column === null) {
          rest();
          return;
        }
        marks.cell = cell;
        marks.row = hoveredRow;
        marks.column = column;
        focus.set(cell);
        over.title = labelTitle(store, hoveredRow, column);
        mark();
      },
      select(cell) {
        anchor = marks.range = null;
        marks.keyboard = false;
        say(activate(cell));
        store.set("selection", [cell[0], cell[1]]);
      },
      locked(cell) {
        say(describe(store, cell));
      },
    },
    env,
  );

  listenToKeys(
    map,
    store,
    () => ({ cell: active, anchor }),
    {
      move(cell, from) {
        anchor = from;
        marks.keyboard = true;
        marks.range = anchor ? [anchor, cell] : null;
        marks.row = marks.column = null;
        marks.cell = cell;
        say(activate(cell));
        focus.set(cell);
        mark();
      },
      toggle() {
        const [[q0, k0], [q1, k1]] = [anchor ?? active, active];
        const cells: number[] = [];
        for (let q = Math.min(q0, q1); q <= Math.max(q0, q1); q++) {
          for (let k = Math.min(k0, k1); k <= Math.max(k0, k1); k++) cells.push(q * store.nK + k);
        }
        store.paint(cells, !store.mask[active[0] * store.nK + active[1]], store.stroke());
        say(activate(active));
      },
      leave() {
        // JupyterLab's own keys work again where it has the focus, not the page.
        const notebook = map.closest<HTMLElement>(".jp-Notebook");
        if (notebook) notebook.focus();
        else map.blur();
      },
    },
    env,
  );
  // The selection that Python reads follows when the keys are let go, not at every step.
  listen(map, "keyup", () => {
    const selection = store.get("selection");
    if (selection?.[0] === active[0] && selection[1] === active[1]) return;
    if (marks.keyboard) store.set("selection", [active[0], active[1]]);
  });
  listen(map, "focus", () => {
    if (!map.matches(":focus-visible")) return;
    marks.keyboard = true;
    say(activate(active));
    rest();
  });
  listen(map, "blur", () => {
    marks.keyboard = false;
    anchor = marks.range = null;
    rest();
  });

  store.subscribe((change) => {
    if (change.all || change.names.has("cmap") || change.names.has("quantity")) table = colours();
    if (change.names.has("selection")) {
      const selection = store.get("selection");
      if (selection && inside(selection)) active = selection;
      rest();
    }
    settle();
    if (change.all) {
      // Another shape or other tokens lie elsewhere.
      relayout = true;
      anchor = marks.range = null;
      marks.row = marks.column = null;
      if (!marks.cell || !inside(marks.cell)) rest();
    } else if (["cmap", "color_scale", "quantity"].some((name) => change.names.has(name))) {
      dirty = "all";
    } else if (change.rows.size && dirty !== "all") {
      dirty = new Set([...(dirty ?? []), ...change.rows]);
    }
    if (change.all || change.rows.size || change.names.has("quantity")) activate(active);
    if (dirty || relayout) request();
    mark();
  }, signal);

  // A canvas mounted out of sight has no size: it is drawn when it gets one, and when that changes.
  let width = 0;
  env.onResize([parent], () => {
    if (parent.clientWidth === width && !relayout) return;
    width = parent.clientWidth;
    relayout = true;
    request();
  });
  theme.subscribe(() => {
    table = colours();
    dirty = "all";
    request();
  }, signal);
  watchDensity(() => {
    relayout = true;
    request();
  }, env);

  settle();
  activate(active);
  rest();
  paint();
}
