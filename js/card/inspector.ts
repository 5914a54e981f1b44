/** The panel that explains the active cell in words and numbers. */
import { type Lut, lut } from "../draw/color";
import { explainScore, explainWeight } from "../explain/explain";
import { number } from "../explain/numbers";
import { visible } from "../explain/tokens";
import { quantityAt, shiftMap, shownQuantity, weighted } from "../state/quantity";
import type { Store } from "../state/store";
import { copyButton } from "../ui/copy";
import { fill, h, text } from "../ui/dom";
import type { Cell } from "../ui/focus";
import { strong, token } from "../ui/words";
import { createBars } from "./bars";
import type { Env } from "./view";

/** The panel is drawn again when one of these traits changes. */
const TRAITS = ["cmap", "color_scale", "quantity", "scale", "temperature"];

export function createInspector(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, focus } = env;
  const pair = h("h3", { class: "aw-pair" });
  const where = h("p", { class: "aw-where" });
  const formula = h("div", { class: "aw-formula" });
  const copy = copyButton(() => explanation(...activeCell()).numpy, env);
  const bars = createBars(store);
  const effect = h("p", { class: "aw-effect" });
  parent.append(
    h("div", { class: "aw-of-cell" }, pair, where, formula, copy, effect),
    h("div", { class: "aw-of-row" }, ...bars.elements),
  );
  let table: Lut = lut(store.get("cmap"));
  const explanation = (q: number, k: number) =>
    shownQuantity(store).value === "scores"
      ? explainScore(store, q, k)
      : explainWeight(store, q, k);
  const activeCell = () => focus.cell ?? ([0, 0] as const);

  function update() {
    const cell = focus.cell;
    if (!cell) return;
    const [q, k] = cell;
    const [from, to] = [visible(store.tokens[q]), visible(store.keyTokens[k])];
    fill(pair, JSON.stringify([from, to]), () => [token(from), h("span", {}, "→"), token(to)]);
    text(
      where,
      `${shownQuantity(store).name}[${q}, ${k}]: query ${q} looks at key ${k}, counted from 0`,
    );
    showFormula(cell);
    bars.update(q, k, table);
    showEffect(effect, store, cell, from);
  }

  function showFormula(cell: Cell) {
    const lines = formulaOf(store, cell);
    // Without scores the formula has one to three lines.
    formula.classList.toggle("aw-formula-short", !store.hasScores);
    fill(formula, lines.join("\n"), () =>
      lines.map((line, i) => h("div", {}, ...(i === lines.length - 1 ? strong(line) : [line]))),
    );
  }

  focus.subscribe(update, signal);
  store.subscribe((change) => {
    if (change.names.has("cmap")) table = lut(store.get("cmap"));
    if (change.all || change.rows.size || TRAITS.some((name) => change.names.has(name))) update();
  }, signal);
  update();
}

/** The computation of the number in the cell, line by line. */
function formulaOf(store: Store, [q, k]: Cell): string[] {
  const { value, name } = shownQuantity(store);
  const lines = [...explainScore(store, q, k).lines];
  // The last line ends with the number in the cell.
  if (value !== "scores") lines.push(...explainWeight(store, q, k).lines);
  const length = weighted(store, k);
  if (length) {
    const product = length.factor * store.attention.data[q * store.nK + k];
    lines.push(`· ${length.name} ${number(length.factor)} = ${number(product)}`);
  }
  if (value === "output-shift" && !store.mask[q * store.nK + k]) {
    lines.push(`${name} of masking this cell, ‖o − o′‖ = ${number(quantityAt(store, q, k))}`);
  }
  return lines;
}

/** Say how a click on the cell would change the attention. */
function showEffect(effect: HTMLElement, store: Store, [q, k]: Cell, from: string): void {
  const at = q * store.nK + k;
  const shift = shiftMap(store, q);
  if (store.locked?.[at]) {
    fill(effect, "locked", () => ["This cell is locked: the model itself masks it."]);
  } else if (store.mask[at]) {
    fill(effect, "masked", () => ["A click frees this cell: the query sees the key again."]);
  } else if (!shift) {
    fill(effect, "given", () => ["A click masks this cell: the other keys share its weight."]);
  } else {
    const distance = number(shift.data[at]);
    fill(effect, JSON.stringify([from, distance]), () => [
      "A click masks this cell: the output of ",
      h("span", { class: "aw-quoted" }, "“", token(from), "”"),
      " would move by ",
      h("b", {}, distance),
    ]);
  }
}
