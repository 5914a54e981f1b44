/** The rows of the grid: a row for each layer under a row of headings, or one row of all heads for 0 columns. */

import { h } from "../../ui/dom";
import type { LayerInfo } from "../../wire/schema";
import type { Head } from "./data";

/** `isShort`: the names of the layers are their numbers. */
export function gridRows(
  heads: readonly Head[],
  buttons: readonly HTMLElement[],
  layers: readonly LayerInfo[],
  columns: number,
  isShort: boolean,
): HTMLElement[] {
  const cells = buttons.map((button) => h("div", { role: "gridcell" }, button));
  if (!columns) return [row(...cells)];
  heads.forEach(({ head }, i) => {
    cells[i].style.gridColumn = String(head + 2);
  });
  const byLayer = [...new Set(heads.map(({ layer }) => layer))].map((index) => {
    const wrong = layers.some((layer) => layer.index === index && layer.proved === false);
    const name = `layer ${index}`;
    const label = `${isShort ? index : name}${wrong ? " ⚠" : ""}`;
    const heading = { role: "rowheader", class: "aw-layer-name", "aria-label": name };
    return row(h("div", heading, label), ...cells.filter((_, i) => heads[i].layer === index));
  });
  const headings = Array.from({ length: columns }, (_, head) =>
    h("div", { role: "columnheader", "aria-label": `head ${head}` }, `${head}`),
  );
  const corner = { role: "columnheader", class: "aw-layer-name" };
  return [row(h("div", corner, isShort ? "" : "head"), ...headings), ...byLayer];
}

const row = (...cells: HTMLElement[]) => h("div", { role: "row", class: "aw-grid-row" }, ...cells);
