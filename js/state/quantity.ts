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

/** Its numbers, (n_q, n_k): all of them, or those of the query that is read. */
export function quantityMap(store: Store, query?: number): Matrix {
  const { value } = shownQuantity(store);
  const { attention } = store;
  const V = store.matrix("V");
  if (value === "scores") return store.matrix("scores") as Matrix;
  if (value === "attention" || (value !== "output-norm" && !V)) return attention;
  if (value === "output-shift") return shiftMap(store, query) as Matrix;
  const lengths =
    value === "output-norm"
      ? (store.outputNorms as Float32Array)
      : store.once("lengths of V", () => norms(V as Matrix));
  return store.derived(value, (q, out, start) => times(attention, q, lengths, out, start), query);
}

/** The number of one cell; the row that it is in is all that is computed. */
export function quantityAt(store: Store, query: number, key: number): number {
  return quantityMap(store, query).data[query * store.nK + key];
}

/** How far masking each cell would move its query's output; null without values. */
export function shiftMap(store: Store, query?: number): Matrix | null {
  const [V, output] = [store.matrix("V"), store.matrix("output")];
  if (!V || !output || store.mistake) return null;
  const { attention, mask } = store;
  const scores = store.matrix("scores") as Matrix;
  const from = { V, output, scores, attention, mask, temperature: store.get("temperature") };
  return store.derived("shift", (q, out, start) => shiftRow(from, q, out, start), query);
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
