/** What the marked cell is, in words and in numbers. */
import { cssColor, type Lut, lut } from "../draw/color";
import { rowIsEmpty } from "../explain/cell";
import { explainScore, explainWeight } from "../explain/explain";
import { number } from "../explain/numbers";
import { visible } from "../explain/tokens";
import { largest } from "../maths/extent";
import { quantityAt, shiftMap, shownQuantity, weighted } from "../state/quantity";
import type { Store } from "../state/store";
import { copyButton } from "../ui/copy";
import { fill, h, text } from "../ui/dom";
import type { Cell } from "../ui/focus";
import type { Env } from "./view";

const BARS = 10;
/** The traits, beside the maps, that the panel shows. */
const SHOWN = ["cmap", "color_scale", "quantity", "scale", "temperature"];
const CAPTION = "attention of this row, after the mask";

export function createInspector(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, focus } = env;
  const pair = h("h3", { class: "aw-pair" });
  const where = h("p", { class: "aw-where" });
  const formula = h("div", { class: "aw-formula" });
  const copy = copyButton(() => explained(...shownCell()).numpy, env);
  const caption = h("p", { class: "aw-where" }, CAPTION);
  const bars = h("div", { class: "aw-bars", role: "list" });
  const rest = h("p", { class: "aw-where" });
  const effect = h("p", { class: "aw-effect" });
  parent.append(
    h("div", { class: "aw-of-cell" }, pair, where, formula, copy, effect),
    h("div", { class: "aw-of-row" }, caption, bars, rest),
  );
  let table: Lut = lut(store.get("cmap"));
  const lines: ReturnType<typeof barLine>[] = [];
  const explained = (q: number, k: number) =>
    shownQuantity(store).value === "scores"
      ? explainScore(store, q, k)
      : explainWeight(store, q, k);
  const shownCell = () => focus.cell ?? ([0, 0] as const);

  function update() {
    const cell = focus.cell;
    if (!cell) return;
    const [q, k] = cell;
    const [from, to] = [visible(store.tokens[q] as string), visible(store.keyTokens[k] as string)];
    fill(pair, JSON.stringify([from, to]), () => [token(from), h("span", {}, "→"), token(to)]);
    text(
      where,
      `${shownQuantity(store).name}[${q}, ${k}]: query ${q} looks at key ${k}, counted from 0`,
    );
    updateFormula(cell);
    updateBars(q, k);
    updateEffect(cell, from);
  }

  function updateFormula([q, k]: Cell) {
    const { value, name } = shownQuantity(store);
    const lines = [...explainScore(store, q, k).lines];
    // The last line is the number that is drawn.
    if (value !== "scores") lines.push(...explainWeight(store, q, k).lines);
    const carries = weighted(store, k);
    if (carries) {
      const carried = carries.factor * (store.attention.data[q * store.nK + k] as number);
      lines.push(`· ${carries.name} ${number(carries.factor)} = ${number(carried)}`);
    }
    if (value === "output-shift" && !store.mask[q * store.nK + k]) {
      lines.push(`${name} of masking it, ‖o − o′‖ = ${number(quantityAt(store, q, k))}`);
    }
    // No softmax of scores: a line or three.
    formula.classList.toggle("aw-formula-short", !store.hasScores);
    fill(formula, lines.join("\n"), () =>
      lines.map((line, i) => h("div", {}, ...(i === lines.length - 1 ? strong(line) : [line]))),
    );
  }

  function updateBars(q: number, k: number) {
    const { nK, mask } = store;
    const row = store.attention.data.subarray(q * nK, (q + 1) * nK);
    const blind = rowIsEmpty(store, q);
    text(caption, blind ? "every key of this query is masked: no attention" : CAPTION);
    // The bars have the map's colours, so they follow its scale.
    const top = {
      unit: 1,
      row: row.reduce((a, b) => Math.max(a, b), 0),
      map:
        store.get("color_scale") === "map"
          ? store.once("largest", () => largest(store.attention.data))
          : 1,
    }[store.get("color_scale")];
    let shown = Array.from({ length: nK }, (_, j) => j);
    if (nK > BARS + 2) {
      // The largest, and the one that is looked at, in their own order.
      shown = shown
        .sort((a, b) => (b === k ? 2 : (row[b] as number)) - (a === k ? 2 : (row[a] as number)))
        .slice(0, BARS)
        .sort((a, b) => a - b);
    }
    while (lines.length < shown.length) {
      const line = barLine();
      lines.push(line);
      bars.append(line.element);
    }
    lines.forEach((line, i) => {
      const key = shown[i];
      line.element.hidden = key === undefined || blind;
      if (key === undefined || blind) return;
      const value = row[key] as number;
      const hidden = Boolean(mask[q * nK + key]);
      line.set(
        visible(store.keyTokens[key] as string),
        value,
        hidden,
        key === k,
        cssColor(table, top > 0 ? value / top : 0),
      );
    });
    bars.setAttribute("aria-label", `attention of query ${q} over its keys`);
    const others = nK - shown.length;
    const left = row.reduce((a, b) => a + b, 0) - shown.reduce((a, j) => a + (row[j] as number), 0);
    text(
      rest,
      others && !blind ? `and ${others} more: ${Math.max(0, left).toFixed(3)} together` : "",
    );
  }

  function updateEffect([q, k]: Cell, from: string) {
    const at = q * store.nK + k;
    const shift = shiftMap(store, q);
    if (store.locked?.[at]) {
      fill(effect, "locked", () => ["What the model masks is locked."]);
    } else if (store.mask[at]) {
      fill(effect, "masked", () => ["A click frees this cell: the query sees the key again."]);
    } else if (!shift) {
      fill(effect, "given", () => [
        "A click masks this cell: its weight goes to the rest of the row.",
      ]);
    } else {
      const moved = number(shift.data[at] as number);
      fill(effect, JSON.stringify([from, moved]), () => [
        "A click masks this cell: the output of ",
        h("span", { class: "aw-quoted" }, "“", token(from), "”"),
        " would move by ",
        h("b", {}, moved),
      ]);
    }
  }

  focus.subscribe(update, signal);
  store.subscribe((change) => {
    if (change.names.has("cmap")) table = lut(store.get("cmap"));
    if (change.all || change.rows.size || SHOWN.some((name) => change.names.has(name))) update();
  }, signal);
  update();
}

/** A line with its result, what follows the last "=", in bold. */
export function strong(line: string): (Node | string)[] {
  const at = line.lastIndexOf("= ");
  return at < 0 ? [line] : [line.slice(0, at + 2), h("b", {}, line.slice(at + 2))];
}

/** A token, cut off by the stylesheet where it is long; whole on hover. */
export function token(name: string): HTMLElement {
  return h("bdi", { class: "aw-token", title: name }, name);
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
