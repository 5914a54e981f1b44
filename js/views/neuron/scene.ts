/** The numbers of one query against every key, and how far the colours of each reach. */
import type { Store } from "../../state/store";
import type { Matrix } from "../../wire/codec";

export interface Column {
  name: string;
  values: Float64Array;
  most: number;
  signed: boolean;
}

export interface Numbers {
  Q: Matrix;
  K: Matrix;
  /** What each key gets: score, weight, ‖v‖, weight·‖v‖. */
  columns: readonly Column[];
  /** The largest number of Q and K, and of q × k in this row: what the colours reach to. */
  most: number;
  mostProduct: number;
}

/** Null where Q, K, V or the scores of the head are not here. */
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
    values: Float64Array,
    signed = false,
    most = furthest(values),
  ): Column => ({ name, values, most, signed });
  const isPlain = !store.matrix("bias") && !store.get("softcap");
  return {
    Q,
    K,
    columns: [
      // Other scales, biases and softcaps have more to say than a heading holds: the lines below do.
      column(store.scale === Q.cols ** -0.5 && isPlain ? `q·k ÷ √${Q.cols}` : "score", score, true),
      column("softmax", p, false, 1),
      column("‖v‖", norms),
      column("p·‖v‖", weighted),
    ],
    most: Math.max(furthest(Q.data), furthest(K.data)) || 1,
    mostProduct: largestProduct(Q, K, query) || 1,
  };
}

function norm(m: Matrix, row: number): number {
  let sum = 0;
  for (let c = 0; c < m.cols; c++) sum += m.data[row * m.cols + c] ** 2;
  return Math.sqrt(sum);
}

/** How far from 0 the values go. */
function furthest(values: Iterable<number>): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

function largestProduct(Q: Matrix, K: Matrix, query: number): number {
  let most = 0;
  for (let k = 0; k < K.rows; k++) {
    for (let c = 0; c < Q.cols; c++) {
      const product = Q.data[query * Q.cols + c] * K.data[k * K.cols + c];
      most = Math.max(most, Math.abs(product));
    }
  }
  return most;
}
