/** The elements of the map: two canvases, and an ARIA grid for screen readers. */

import { contextOf, resizeCanvas } from "../../draw/canvas-view";
import { elementId } from "../../draw/element-id";
import { palette } from "../../draw/palette";
import type { Measure } from "../../explain/tokens";
import { h } from "../../ui/dom";
import { type Geometry, layout } from "./geometry";

export function createSurface() {
  const base = h("canvas", { class: "aw-base" });
  const over = h("canvas", { class: "aw-over" });
  // The document holds only the active cell of the grid, because a map may have a million cells.
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

  /** Read the font once for a layout, because reading styles for each label is slow. */
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
    /** Lay the map out in `width` CSS pixels, and write the places of the cells into the data attributes. */
    arrange(width: number, queries: readonly string[], keys: readonly string[]): Geometry {
      const { availHeight } = screen;
      const g = layout(width, queries, keys, measures(), devicePixelRatio || 1, availHeight);
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
