/** The attention of a row as bars: the keys with the largest weights, and the key of the active cell. */
import { cssColor, type Lut } from "../draw/color";
import { rowIsEmpty } from "../explain/cell";
import { visible } from "../explain/tokens";
import { largest } from "../maths/extent";
import { placeOf, shownScale } from "../state/scale";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";

const BARS = 10;
const CAPTION = "attention of this row, after the mask";

export function createBars(store: Store) {
  const caption = h("p", { class: "aw-where" }, CAPTION);
  const bars = h("div", { class: "aw-bars", role: "list" });
  const rest = h("p", { class: "aw-where" });
  const lines: ReturnType<typeof barLine>[] = [];
  return {
    elements: [caption, bars, rest],
    update(q: number, k: number, table: Lut) {
      const { nK, mask } = store;
      const row = store.attention.data.subarray(q * nK, (q + 1) * nK);
      const isEmpty = rowIsEmpty(store, q);
      text(caption, isEmpty ? "every key of this query is masked: no attention" : CAPTION);
      const scale = shownScale(store, "attention");
      const top = ceiling(store, row);
      const keys = strongest(row, k);
      while (lines.length < keys.length) {
        const line = barLine();
        lines.push(line);
        bars.append(line.element);
      }
      lines.forEach((line, i) => {
        const key = keys[i];
        line.element.hidden = key === undefined || isEmpty;
        if (line.element.hidden) return;
        const value = row[key];
        const hidden = Boolean(mask[q * nK + key]);
        line.set(
          visible(store.keyTokens[key]),
          value,
          hidden,
          key === k,
          cssColor(table, top > 0 ? placeOf(scale, value / top) : 0),
        );
      });
      bars.setAttribute("aria-label", `attention of query ${q} to each key`);
      const others = nK - keys.length;
      const othersTotal = row.reduce((a, b) => a + b, 0) - keys.reduce((a, j) => a + row[j], 0);
      text(
        rest,
        others && !isEmpty
          ? `${others} other keys together: ${Math.max(0, othersTotal).toFixed(3)}`
          : "",
      );
    },
  };
}

/** The weight with the last colour of the scale: the bars have the same colours as the map. */
function ceiling(store: Store, row: Float32Array): number {
  const scale = shownScale(store, "attention");
  if (scale === "unit") return 1;
  if (scale === "row") return largest(row);
  return store.once("largest", () => largest(store.attention.data));
}

/** Return the keys with the largest weights, and `key`, in the order of the sentence. */
function strongest(row: Float32Array, key: number): number[] {
  const keys = Array.from(row, (_, j) => j);
  if (row.length <= BARS + 2) return keys;
  const rank = (j: number) => (j === key ? 2 : row[j]);
  return keys
    .sort((a, b) => rank(b) - rank(a))
    .slice(0, BARS)
    .sort((a, b) => a - b);
}

function barLine() {
  const name = h("bdi", { class: "aw-bar-name" });
  const fill = h("i", { class: "aw-bar-fill" });
  const value = h("span", { class: "aw-bar-value" });
  const element = h("div", { class: "aw-bar", role: "listitem" }, name, fill, value);
  return {
    element,
    set(token: string, p: number, hidden: boolean, current: boolean, color: string) {
      text(name, token);
      element.classList.toggle("aw-bar-masked", hidden);
      element.classList.toggle("aw-bar-current", current);
      fill.style.width = hidden ? "" : `${Math.max(0.8, p * 62)}%`;
      fill.style.background = hidden ? "" : color;
      text(value, hidden ? "masked" : p.toFixed(3));
    },
  };
}
