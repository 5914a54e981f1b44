/** The numbers of a query against every key, and the largest of them, which set the scales of the colours. */
import { columnFormat, fixed } from "../../explain/numbers";
import { largestSize } from "../../maths/extent";
import type { Store } from "../../state/store";
import type { Matrix } from "../../wire/codec";

export interface Column {
  name: string;
  /** The name where there is little room. */
  short: string;
  isWeight: boolean;
  values: Float64Array;
  /** The absolute value that fills the column. */
  largest: number;
  signed: boolean;
  /** All numbers of the column have as many decimals. */
  format(value: number): string;
}

export interface Numbers {
  Q: Matrix;
  K: Matrix;
  /** The numbers of each key: score, weight, ‖v‖, weight·‖v‖. */
  columns: readonly Column[];
  /** The largest absolute value in Q and K. */
  largest: number;
  /** The largest absolute product of a number of q and a number of a key. */
  largestProduct: number;
}

/** Null where the page does not have Q, K, V or the scores of the head. */
export function numbersOf(store: Store, query: number): Numbers | null {
  const [Q, K, V] = (["Q", "K", "V"] as const).map((name) => store.matrix(name));
  const scores = store.matrix("scores");
  if (!Q || !K || !V || !scores) return null;
  const n = K.rows;
  const each = (value: (k: number) => number) =>
    Float64Array.from({ length: n }, (_, k) => value(k));
  const score = each((k) => scores.data[query * n + k]);
  const p = each((k) => store.attention.data[query * n + k]);
  const norms = each((k) => norm(V, k));
  const weighted = each((k) => p[k] * norms[k]);
  const column = (
    name: string,
    short: string,
    values: Float64Array,
    more: Partial<Column> = {},
  ): Column => ({
    ...{ name, short, values, largest: largestSize(values), signed: false, isWeight: false },
    format: more.isWeight ? (value) => fixed(value, 3) : columnFormat(values),
    ...more,
  });
  const isRight = store.mistake?.step !== "scores";
  const isPlain = isRight && !store.matrix("bias") && !store.get("softcap");
  return {
    Q,
    K,
    columns: [
      // With another scale, a bias or a softcap the formula is too long for a heading: the lines below show the formula.
      column(
        store.scale === Q.cols ** -0.5 && isPlain ? `q·k ÷ √${Q.cols}` : "score",
        "score",
        score,
        { signed: true },
      ),
      column("softmax = p", "p", p, { largest: 1, isWeight: true }),
      column("‖v‖", "‖v‖", norms),
      column("p·‖v‖", "p·‖v‖", weighted),
    ],
    largest: Math.max(largestSize(Q.data), largestSize(K.data)) || 1,
    largestProduct: largestProduct(Q, K, query) || 1,
  };
}

function norm(m: Matrix, row: number): number {
  let sum = 0;
  for (let c = 0; c < m.cols; c++) sum += m.data[row * m.cols + c] ** 2;
  return Math.sqrt(sum);
}

function largestProduct(Q: Matrix, K: Matrix, query: number): number {
  let size = 0;
  for (let k = 0; k < K.rows; k++) {
    for (let c = 0; c < Q.cols; c++) {
      const product = Q.data[query * Q.cols + c] * K.data[k * K.cols + c];
      size = Math.max(size, Math.abs(product));
    }
  }
  return size;
}
