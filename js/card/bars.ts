/**
 * The numbers of a row as bars, in the quantity and the colours of the map: the largest, and the key of the active cell.
 * A thin line under a bar is its ghost: the number before the last edit, where the edit has changed it.
 */
import { cssColor, type Lut } from "../draw/color";
import { rowIsEmpty } from "../explain/cell";
import { columnFormat, fixed, number } from "../explain/numbers";
import { visible } from "../explain/tokens";
import { largest, largestSize } from "../maths/extent";
import { differenceMap } from "../state/difference";
import { blankCells, formerMap, quantityMap, shownQuantity } from "../state/quantity";
import {
  ceilingOf,
  isSigned,
  isWeights,
  shareOf,
  shownScale,
  type UsedScale,
} from "../state/scale";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";

const BARS = 10;
/** The width of the longest bar, in percent. */
const WIDEST = 62;

/** The numbers of a row on screen, and where they lie on the scale of the map. */
interface Row {
  values: Float32Array;
  /** 1 = a key without a number. */
  blank: Uint8Array;
  /** The number before the last edit; NaN where the edit has not changed the number, or where there was none. */
  former: Float32Array;
  /** The largest absolute value, now or before. */
  size: number;
  ceiling: number;
  scale: UsedScale;
  signed: boolean;
  format: (value: number) => string;
}

function rowOf(store: Store, q: number): Row {
  const { nK } = store;
  const values = quantityMap(store, q).data.subarray(q * nK, (q + 1) * nK);
  const blank = blankCells(store).subarray(q * nK, (q + 1) * nK);
  const [old, difference] = [formerMap(store, q)?.data, differenceMap(store, q)?.data];
  const former = values.map((_, k) => {
    const at = q * nK + k;
    return old && difference?.[at] ? old[at] : Number.NaN;
  });
  const sizes = values.map((v, k) => (blank[k] || !Number.isFinite(v) ? 0 : Math.abs(v)));
  return {
    values,
    blank,
    former,
    size: Math.max(largest(sizes), largestSize(former)),
    ceiling: ceilingOf(store, q),
    scale: shownScale(store),
    signed: isSigned(store),
    format: isWeights(store) ? (value) => fixed(value, 3) : columnFormat(sizes),
  };
}

export function createBars(store: Store) {
  const caption = h("p", { class: "aw-where" });
  const bars = h("div", { class: "aw-bars", role: "list" });
  const rest = h("p", { class: "aw-where" });
  const lines: ReturnType<typeof barLine>[] = [];
  return {
    elements: [caption, bars, rest],
    update(q: number, k: number, table: Lut) {
      const { nK } = store;
      const { name } = shownQuantity(store);
      const row = rowOf(store, q);
      const isEmpty = rowIsEmpty(store, q) && row.blank.every(Boolean);
      const words = `${name} of this row${isWeights(store) ? ", after the mask" : ""}`;
      text(caption, isEmpty ? `every key of this query is masked: no ${name}` : words);
      const keys = largestKeys(row, k);
      while (lines.length < keys.length) {
        const line = barLine();
        lines.push(line);
        bars.append(line.element);
      }
      lines.forEach((line, i) => {
        const key = keys[i];
        line.element.hidden = key === undefined || isEmpty;
        if (line.element.hidden) return;
        line.set(visible(store.keyTokens[key]), row, key, key === k, table);
      });
      bars.setAttribute("aria-label", `${name} of query ${q} to each key`);
      text(rest, isEmpty || keys.length === nK ? "" : othersOf(row, keys, isSigned(store)));
    },
  };
}

/** The keys without a bar in words: masked keys have no part in the sum. */
function othersOf({ values, blank, format }: Row, keys: readonly number[], signed: boolean) {
  const others = Array.from(values, (_, k) => k).filter((k) => !blank[k] && !keys.includes(k));
  if (!others.length) return "";
  const numbers = others.map((k) => values[k]);
  if (signed) return `${others.length} other keys: at most ${format(Math.max(...numbers))}`;
  return `${others.length} other keys together: ${format(numbers.reduce((a, b) => a + b, 0))}`;
}

/** Return the keys in the order of the sentence if all have a bar; else the largest, sorted, and `key`. */
function largestKeys({ values, blank }: Row, key: number): number[] {
  const keys = Array.from(values, (_, k) => k);
  if (values.length <= BARS + 2) return keys;
  const sorted = keys.filter((k) => !blank[k] || k === key).sort((a, b) => values[b] - values[a]);
  const first = sorted.slice(0, BARS);
  return first.includes(key) ? first : [...first.slice(0, BARS - 1), key];
}

/** The length of a bar, in percent. */
const widthOf = (value: number, { size }: Row) =>
  Math.max(0.8, size > 0 ? (Math.abs(value) / size) * WIDEST : 0);

function barLine() {
  const name = h("bdi", { class: "aw-bar-name" });
  const fill = h("i", { class: "aw-bar-fill" });
  const value = h("span", { class: "aw-bar-value" });
  const ghost = h("i", { class: "aw-bar-ghost", role: "img" });
  const element = h("div", { class: "aw-bar", role: "listitem" }, name, fill, value, ghost);
  return {
    element,
    set(token: string, row: Row, key: number, current: boolean, table: Lut) {
      const p = row.values[key];
      const isMasked = Boolean(row.blank[key]) && !Number.isNaN(p);
      const isPlain = isMasked || !Number.isFinite(p);
      text(name, token);
      element.classList.toggle("aw-bar-masked", isMasked);
      element.classList.toggle("aw-bar-current", current);
      fill.style.width = isPlain ? "" : `${widthOf(p, row)}%`;
      const share = shareOf(p, row.ceiling, row.scale, row.signed);
      fill.style.background = isPlain ? "" : cssColor(table, share);
      text(value, isMasked ? "masked" : Number.isFinite(p) ? row.format(p) : number(p));
      element.dataset.value = isMasked ? "" : String(p);
      const before = row.former[key];
      const isSame = !Number.isFinite(before);
      ghost.hidden = isSame;
      ghost.style.width = `${widthOf(isSame ? 0 : before, row)}%`;
      element.title = isSame ? "" : `before the last edit ${row.format(before)}`;
      ghost.setAttribute("aria-label", element.title);
      element.dataset.before = isSame ? "" : String(before);
    },
  };
}
