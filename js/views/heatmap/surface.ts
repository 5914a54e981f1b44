/** What the map is drawn on: two canvases, and the ARIA grid that stands for them. */

import { contextOf, resizeCanvas } from "../../draw/canvas-view";
import { elementId } from "../../draw/element-id";
import { palette } from "../../draw/palette";
import type { Measure } from "../../explain/tokens";
import { h } from "../../ui/dom";
import { type Geometry, layout } from "./geometry";

export function createSurface() {
  const base = h("canvas", { class: "aw-base" });
  const over = h("canvas", { class: "aw-over" });
  // Of all the grid's cells only the active one is in the document: there may be a million.
  const id = elementId();
  const gridcell = h("div", { role: "gridcell", id, class: "aw-gridcell" });
  const row = h("div", { role: "row", class: "aw-gridrow" }, gridcell);
  const map = h(
    "div",
    {
      class: "aw-map",
      role: "grid",
      tabindex: 0,
      "aria-activedescendant": id,
    },
    base,
    over,
    row,
  );
  const baseContext = contextOf(base);
  const overContext = contextOf(over);

  /** One look at the styles for a whole layout: reading them for each label would cost more. */
  function measures(): (font: number) => Measure {
    const { font: family } = palette(map);
    return (font) => {
      baseContext.font = `600 ${font}px ${family}`;
      return (label) => baseContext.measureText(label).width;
    };
  }

  return {
    map,
    over,
    row,
    gridcell,
    baseContext,
    overContext,
    /** Lay the map out in `width` CSS pixels, sharp on this screen, and say where its cells are. */
    arrange(width: number, queries: readonly string[], keys: readonly string[]): Geometry {
      const g = layout(width, queries, keys, measures(), devicePixelRatio || 1);
      for (const canvas of [base, over]) resizeCanvas(canvas, g.width, g.height);
      map.style.width = `${g.width}px`;
      map.style.height = `${g.height}px`;
      Object.assign(map.dataset, {
        left: g.left,
        top: g.top,
        cell: g.cell,
        rows: g.nQ,
        cols: g.nK,
      });
      map.setAttribute("aria-rowcount", String(g.nQ));
      map.setAttribute("aria-colcount", String(g.nK));
      return g;
    },
  };
}

export type Surface = ReturnType<typeof createSurface>;
