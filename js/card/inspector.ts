/** The panel that explains the active cell, or the label under the pointer, in words and numbers. */
import { type Lut, lut, signedLut } from "../draw/color";
import { codeOfCell } from "../explain/code";
import { cellDifference } from "../explain/difference";
import { explainScore, explainWeight } from "../explain/explain";
import { changeWords } from "../explain/knock-outs";
import { number } from "../explain/numbers";
import { visible } from "../explain/tokens";
import { quantityAt, shiftMap, shownQuantity, weighted } from "../state/quantity";
import { isSigned } from "../state/scale";
import type { Store } from "../state/store";
import { copyButton } from "../ui/copy";
import { fill, h, text } from "../ui/dom";
import type { Cell, Label } from "../ui/focus";
import { strong, token } from "../ui/words";
import { createBars } from "./bars";
import { isVoid } from "./edits";
import { labelToken, labelWords } from "./label";
import type { Env } from "./view";

/** The panel is drawn again when one of these traits changes. */
const TRAITS = [
  "cmap",
  "color_scale",
  "quantity",
  "scale",
  "temperature",
  "difference",
  "aim",
  "knockouts",
  "run_state",
];

export function createInspector(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, focus, theme } = env;
  const pair = h("h3", { class: "aw-pair" });
  const place = h("span", {});
  const unpin = h("button", { class: "aw-text-button aw-unpin" }, "unpin");
  const where = h("p", { class: "aw-where" }, place);
  const formula = h("div", { class: "aw-formula" });
  const copy = copyButton(() => codeOfCell(store, ...activeCell()), env);
  const actions = h("div", { class: "aw-of-actions" }, copy, unpin);
  const bars = createBars(store);
  const effect = h("p", { class: "aw-effect" });
  parent.append(
    h("div", { class: "aw-of-cell" }, pair, actions, where, formula, effect),
    h("div", { class: "aw-of-row" }, ...bars.elements),
  );
  const tableOfColors = () => (isSigned(store) ? signedLut(theme.dark) : lut(store.get("cmap")));
  let table: Lut = tableOfColors();
  const activeCell = () => focus.cell ?? ([0, 0] as const);
  env.listen(unpin, "click", () => focus.pin(null));

  function update() {
    unpin.hidden = !focus.isPinned || focus.label !== null;
    parent.dataset.of = focus.label ? "label" : "cell";
    parent.dataset.cell = focus.cell?.join() ?? "";
    if (focus.label) showLabel(focus.label);
    else if (focus.cell) showCell(focus.cell);
  }

  function showCell(cell: Cell) {
    const [q, k] = cell;
    const [from, to] = [visible(store.tokens[q]), visible(store.keyTokens[k])];
    fill(pair, JSON.stringify([from, to]), () => [token(from), h("span", {}, "→"), token(to)]);
    const words = `${shownQuantity(store).name}[${q}, ${k}]: query ${q} looks at key ${k}, counted from 0`;
    text(place, focus.isPinned ? `${words}; pinned` : words);
    showFormula(cell);
    bars.update(q, k, table);
    showEffect(effect, store, cell, from);
  }

  /** The other parts of the panel are of another cell, so the stylesheet hides them; they keep their room. */
  function showLabel(label: Label) {
    const name = labelToken(store, label);
    fill(pair, JSON.stringify([name]), () => [token(name), h("span", {}, `as ${label.side}`)]);
    text(
      place,
      label.side === "query"
        ? `row ${label.index}: query ${label.index} and every key`
        : `column ${label.index}: every query and key ${label.index}`,
    );
    const words = labelWords(store, label);
    fill(formula, words, () => [words]);
  }

  function showFormula(cell: Cell) {
    const difference = cellDifference(store, ...cell);
    const lines = formulaOf(store, cell);
    const last = lines.length - 1;
    if (difference) lines.push(difference);
    // Without scores the formula has one to three lines.
    formula.classList.toggle("aw-formula-short", !store.hasScores);
    fill(formula, lines.join("\n"), () =>
      lines.map((line, i) => h("div", {}, ...(i >= last ? strong(line) : [line]))),
    );
  }

  focus.subscribe(update, signal);
  theme.subscribe(() => {
    table = tableOfColors();
    update();
  }, signal);
  store.subscribe((change) => {
    if (change.names.has("cmap") || change.names.has("quantity")) table = tableOfColors();
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
  const say = (words: string) => fill(effect, words, () => [words]);
  if (store.isRemoved(q, k) && !store.knocks) say("This cell is knocked out of the model.");
  else if (isVoid(store, [q, k])) say("This cell is locked: the model itself masks it.");
  else if (store.knocks) say(changeWords(store.knockOutAt([q, k]), store.aim));
  else if (store.mask[at]) say("A click frees this cell: the query sees the key again.");
  else if (store.mistake) say("A click masks this cell; the mistake stays switched on.");
  else if (!shift) say("A click masks this cell: the other keys share its weight.");
  else {
    const distance = number(shift.data[at]);
    fill(effect, JSON.stringify([from, distance]), () => [
      "A click masks this cell: the output of ",
      h("span", { class: "aw-quoted" }, "“", token(from), "”"),
      " would move by ",
      h("b", {}, distance),
    ]);
  }
}
