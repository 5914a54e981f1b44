/** The flow in words: titles of numbers, and how each matrix is made. */
import type { MatrixName } from "../../explain/explain";
import { number } from "../../explain/numbers";
import { visible } from "../../explain/tokens";
import type { Store } from "../../state/store";
import type { Shown } from "./flow";

const LETTER: Partial<Record<MatrixName, string>> = { embeddings: "X", key_embeddings: "Y" };

/** "scores[4, 2] the → sat": the place as NumPy counts it, and whose it is. */
export function titleOf(store: Store, { name, row, col }: Shown): string {
  return `${placeOf({ name, row, col })} ${whose(store, { name, row, col })}`.trim();
}

export function placeOf({ name, row, col }: Shown): string {
  return `${LETTER[name] ?? name}[${row}, ${col}]`;
}

export function whose(store: Store, { name, row, col }: Shown): string {
  const query = () => visible(store.tokens[row]);
  const key = (k: number) => visible(store.keyTokens[k]);
  if (name === "scores" || name === "mask" || name === "attention")
    return `${query()} → ${key(col)}`;
  if (name === "embeddings" || name === "Q" || name === "output") return query();
  return name.startsWith("W_") ? "" : key(row);
}

export function noteOf(store: Store, name: MatrixName): string {
  const positional = store.get("positional");
  const plus = (X: string) => (positional === "sinusoidal" ? `(${X} + P)` : X);
  const turned = positional === "rotary" ? ", turned" : "";
  const keys = store.matrix("key_embeddings") ? "Y" : "X";
  const known = store.matrix("embeddings") !== null;
  const { scale } = store;
  const d = store.matrix("Q")?.cols ?? 1;
  const by =
    Math.abs(scale * Math.sqrt(d) - 1) < 1e-6
      ? " / √d_k"
      : scale === 1
        ? ""
        : ` · ${number(scale)}`;
  const T = store.get("temperature");
  switch (name) {
    case "embeddings":
      return keys === "Y" ? "queries' embeddings" : "embeddings";
    case "key_embeddings":
      return "keys' embeddings";
    case "Q":
      return known ? `${plus("X")} W_q${turned}` : "queries";
    case "K":
      return known ? `${plus(keys)} W_k${turned}` : "keys";
    case "V":
      return known ? `${plus(keys)} W_v` : "values";
    case "scores":
      return `Q Kᵀ${by}${added(store)}`;
    case "mask":
      return "click a cell";
    case "attention":
      return T === 1 ? "softmax by row" : `softmax, T = ${number(T)}`;
    case "output":
      return "attention · V";
    default:
      return store.get("given").includes(name) ? "given" : `${store.get("init")}`;
  }
}

function added(store: Store): string {
  if (!store.matrix("bias")) return "";
  return store.get("positional") === "alibi" ? " − distance" : " + bias";
}
