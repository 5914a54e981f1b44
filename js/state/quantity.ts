/** What the numbers of the map may be, besides the weights. */

import { shiftRow } from "../maths/shift";
import type { Matrix } from "../wire/codec";
import type { Quantity } from "../wire/schema";
import type { Store } from "./store";

export interface QuantityWords {
  value: Quantity;
  text: string;
  title: string;
  /** What a number of it is called, on screen and by a screen reader. */
  name: string;
  /** What the colour bar says; in a short map its first word. */
  bar: string;
  /** What it is and where it is from, under the map; nothing of the weights themselves. */
  about: string;
}

export const QUANTITIES: readonly QuantityWords[] = [
  {
    value: "attention",
    text: "attention",
    title: "the weights",
    name: "attention",
    bar: "attention weight",
    about: "Attention: the weights after mask and softmax.",
  },
  {
    value: "scores",
    text: "scores",
    title: "before the softmax",
    name: "scores",
    bar: "score, before mask and softmax",
    about: "Scores: q·k scaled, before mask and softmax; blue below 0, red above.",
  },
  {
    value: "value-norm",
    text: "× ‖v‖",
    title: "weight times the length of the value",
    name: "attention · ‖v‖",
    bar: "attention · ‖v‖",
    about: "Attention · ‖v‖: how long the vector is that each weight takes from V.",
  },
  {
    value: "output-norm",
    text: "× ‖v W_O‖",
    title: "weight times the length of the projected value (arXiv 2004.10102)",
    name: "attention · ‖v W_O‖",
    bar: "attention · ‖v W_O‖",
    about: "Attention · ‖v W_O‖: the same after the projection W_O (Kobayashi et al. 2020).",
  },
  {
    value: "output-shift",
    text: "effect",
    title: "how far masking each cell would move its query's output",
    name: "effect",
    bar: "output would move by",
    about: "Effect: how far a query's output moves if the cell is masked, ‖o − o′‖.",
  },
];

/** The quantities that what is shown has the numbers for. */
export function offered(store: Store): Quantity[] {
  const has: Record<Quantity, boolean> = {
    attention: true,
    scores: store.hasScores,
    "value-norm": store.matrix("V") !== null,
    "output-norm": store.outputNorms !== null,
    // The formula of the effect holds for a softmax by row, which a mistake may not be.
    "output-shift": store.matrix("V") !== null && !store.mistake,
  };
  return QUANTITIES.map((q) => q.value).filter((value) => has[value]);
}

/** The quantity on screen: the one chosen, where it can be shown. */
export function shownQuantity(store: Store): QuantityWords {
  const chosen = store.get("quantity");
  const known = offered(store).includes(chosen) ? chosen : "attention";
  return QUANTITIES.find((q) => q.value === known) as QuantityWords;
}

/** 1 = a cell without a number: the scores are before the softmax, where a mistake gives no weight to masked cells. */
export function blankCells(store: Store): Uint8Array {
  return shownQuantity(store).value === "scores" ? store.mask : store.blank;
}

/** What a quantity is computed from: the numbers on screen, or the numbers before the last edit. */
interface Numbers extends Pick<Store, "derived" | "once" | "matrix" | "outputNorms"> {
  mask: Uint8Array;
  temperature: number;
  /** Whether a mistake is switched on, under which the effect has no formula. */
  isMistaken: boolean;
}

const numbersOf = (store: Store): Numbers => ({
  ...{ derived: store.derived, once: store.once, matrix: store.matrix, mask: store.mask },
  ...{ temperature: store.get("temperature"), isMistaken: store.mistake !== null },
  outputNorms: store.outputNorms,
});

function numbersBefore({ before, outputNorms }: Store): Numbers | null {
  const { moment, derived, once, matrix } = before;
  const mask = matrix("mask");
  if (!moment || !mask) return null;
  return {
    ...{ derived, once, matrix, outputNorms, temperature: moment.temperature },
    mask: mask.data as unknown as Uint8Array,
    isMistaken: moment.mistake !== "",
  };
}

/** A quantity, (n_q, n_k): all of it, or the row of the query that is read; null where a matrix is missing. */
function mapOf(value: Quantity, from: Numbers, query?: number): Matrix | null {
  if (value === "output-shift") return shiftOf(from, query);
  if (value === "scores") return from.matrix("scores");
  const [attention, V] = [from.matrix("attention"), from.matrix("V")];
  if (value === "attention" || !attention) return attention;
  const lengths =
    value === "output-norm" ? from.outputNorms : V && from.once("lengths of V", () => norms(V));
  if (!lengths) return null;
  return from.derived(value, (q, out, start) => times(attention, q, lengths, out, start), query);
}

/** The numbers of the quantity on screen, (n_q, n_k): all of them, or those of the query that is read. */
export function quantityMap(store: Store, query?: number): Matrix {
  return mapOf(shownQuantity(store).value, numbersOf(store), query) as Matrix;
}

/** The same numbers before the last edit; null where they are not known. */
export function formerMap(store: Store, query?: number): Matrix | null {
  const from = numbersBefore(store);
  return from && mapOf(shownQuantity(store).value, from, query);
}

/** The number of one cell; the row that it is in is all that is computed. */
export function quantityAt(store: Store, query: number, key: number): number {
  return quantityMap(store, query).data[query * store.nK + key];
}

/** How far masking each cell would move its query's output; null without values. */
export const shiftMap = (store: Store, query?: number) => shiftOf(numbersOf(store), query);

function shiftOf(from: Numbers, query?: number): Matrix | null {
  const [V, output, scores, attention] = (["V", "output", "scores", "attention"] as const).map(
    (name) => from.matrix(name),
  );
  if (!V || !output || !scores || !attention || from.isMistaken) return null;
  const inputs = { ...from, V, output, scores, attention };
  return from.derived("shift", (q, out, start) => shiftRow(inputs, q, out, start), query);
}

/** ‖v‖ of each row. */
export function norms(V: Matrix): Float32Array {
  const norms = new Float32Array(V.rows);
  for (let j = 0; j < V.rows; j++) {
    let square = 0;
    for (let c = 0; c < V.cols; c++) square += V.data[j * V.cols + c] ** 2;
    norms[j] = Math.sqrt(square);
  }
  return norms;
}

/** What the weight of a key is multiplied with, in words; null where it stands alone. */
export function weighted(store: Store, key: number): { factor: number; name: string } | null {
  const { value } = shownQuantity(store);
  if (value === "output-norm") {
    return { factor: store.outputNorms?.[key] as number, name: "‖v W_O‖" };
  }
  if (value !== "value-norm") return null;
  const { data, cols } = store.matrix("V") as Matrix;
  return { factor: Math.hypot(...data.subarray(key * cols, (key + 1) * cols)), name: "‖v‖" };
}

function times(
  { data, cols }: Matrix,
  row: number,
  factors: Float32Array,
  out: Float32Array,
  start: number,
): void {
  for (let k = 0; k < cols; k++) {
    out[start + k] = data[row * cols + k] * factors[k];
  }
}
