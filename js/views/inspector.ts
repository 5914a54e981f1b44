/** What the marked cell is, in words and in numbers. */
import { cssColor, type Lut, lut } from "../color";
import { type Env, fill, h, text } from "../dom";
import type { Cell } from "../focus";
import type { Store } from "../store";
import { shift, softmaxParts, terms } from "./arithmetic";
import { visible } from "./heatmap/labels";
import { largest } from "./heatmap/paint";
import { rowIsEmpty } from "./heatmap/words";

const BARS = 10;
/** The traits, beside the maps, that the panel shows. */
const SHOWN = ["cmap", "color_scale", "scale"];
const CAPTION = "this row, after the mask";

export function createInspector(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, focus } = env;
  const pair = h("h3", { class: "aw-pair" });
  const where = h("p", { class: "aw-where" });
  const product = h("div", { class: "aw-sum" });
  const scaled = h("div", {});
  const soft = h("div", {});
  const formula = h("div", { class: "aw-formula" }, product, scaled, soft);
  const caption = h("p", { class: "aw-where" }, CAPTION);
  const bars = h("div", { class: "aw-bars", role: "list" });
  const rest = h("p", { class: "aw-where" });
  const effect = h("p", { class: "aw-effect" });
  parent.append(
    h("div", { class: "aw-of-cell" }, pair, where, formula, effect),
    h("div", { class: "aw-of-row" }, caption, bars, rest),
  );
  let table: Lut = lut(store.get("cmap"));
  const lines: ReturnType<typeof barLine>[] = [];

  function update() {
    const cell = focus.cell;
    if (!cell) return;
    const [q, k] = cell;
    const [from, to] = [visible(store.tokens[q] as string), visible(store.keyTokens[k] as string)];
    fill(pair, JSON.stringify([from, to]), () => [token(from), h("span", {}, "→"), token(to)]);
    text(where, `attention from query ${q + 1} to key ${k + 1}`);
    updateFormula(cell);
    updateBars(q, k);
    updateEffect(cell, from);
  }

  function updateFormula([q, k]: Cell) {
    const at = q * store.nK + k;
    const score = store.scores.data[at] as number;
    const scale = store.get("scale");
    const d = store.Q.cols;
    text(product, `q·k = ${terms(store.Q, q, store.K, k)}`);
    const divisor =
      Math.abs(scale * Math.sqrt(d) - 1) < 1e-6 ? `÷ √${d}` : `× ${Number(scale.toPrecision(3))}`;
    text(scaled, `= ${number(scale === 0 ? 0 : score / scale)} ${divisor} = ${number(score)}`);
    if (store.locked?.[at]) {
      fill(soft, "locked", () => ["masked by the model itself: it stays masked"]);
    } else if (store.mask[at]) {
      fill(soft, "masked", () => ["masked: this query may not see this key"]);
    } else {
      const { max, sum } = softmaxParts(store.scores, store.mask, q);
      const p = (store.attention.data[at] as number).toFixed(3);
      const line = `exp(${number(score)} − ${number(max)}) ÷ ${number(sum)} = `;
      fill(soft, line + p, () => [line, h("b", {}, p)]);
    }
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
      map: store.get("color_scale") === "map" ? largest(store.attention.data) : 1,
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
    bars.setAttribute("aria-label", `attention of query ${q + 1} over its keys`);
    const others = nK - shown.length;
    const left = row.reduce((a, b) => a + b, 0) - shown.reduce((a, j) => a + (row[j] as number), 0);
    text(
      rest,
      others && !blind ? `and ${others} more: ${Math.max(0, left).toFixed(3)} together` : "",
    );
  }

  function updateEffect([q, k]: Cell, from: string) {
    const at = q * store.nK + k;
    if (store.locked?.[at]) {
      fill(effect, "locked", () => ["What the model masks is locked."]);
    } else if (store.mask[at]) {
      fill(effect, "masked", () => ["A click frees this cell: the query sees the key again."]);
    } else {
      const moved = number(shift(store.attention, store.V, store.output, q, k));
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

/** A token, cut off by the stylesheet where it is long; whole on hover. */
function token(name: string): HTMLElement {
  return h("bdi", { class: "aw-token", title: name }, name);
}

/** A number as people read it: three significant places, and a real minus. */
export function number(value: number): string {
  const size = Math.abs(value);
  const plain =
    size !== 0 && (size < 1e-3 || size >= 1e5)
      ? value.toExponential(2)
      : value.toFixed(size < 0.1 ? 4 : size < 100 ? 2 : 1);
  return plain.replace("-", "−");
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
