/** The words of the flow: the titles of entries, and the formula of each matrix. */
import type { MatrixName } from "../../explain/explain";
import { number } from "../../explain/numbers";
import { inText } from "../../explain/tokens";
import type { Store } from "../../state/store";
import type { Entry } from "./flow";

const LETTER: Partial<Record<MatrixName, string>> = { embeddings: "X", key_embeddings: "Y" };

/** The place of an entry as in NumPy, and the tokens of the entry: "scores[4, 2] the → sat". */
export function titleOf(store: Store, entry: Entry): string {
  return `${placeOf(entry)} ${tokensOf(store, entry)}`.trim();
}

export function placeOf({ name, row, col }: Entry): string {
  return `${LETTER[name] ?? name}[${row}, ${col}]`;
}

/** The query or the key of an entry, or both; empty for a projection. */
export function tokensOf(store: Store, { name, row, col }: Entry): string {
  const query = () => inText(store.tokens[row]);
  const key = (k: number) => inText(store.keyTokens[k]);
  if (name === "scores" || name === "mask" || name === "attention")
    return `${query()} → ${key(col)}`;
  if (name === "embeddings" || name === "Q" || name === "output") return query();
  return name.startsWith("W_") ? "" : key(row);
}

/** The formula of a matrix, or where its numbers come from. */
export function noteOf(store: Store, name: MatrixName): string {
  const positional = store.get("positional");
  const positioned = (X: string) => (positional === "sinusoidal" ? `(${X} + P)` : X);
  const rotation = positional === "rotary" ? ", turned" : "";
  const keys = store.matrix("key_embeddings") ? "Y" : "X";
  const hasInputs = store.matrix("embeddings") !== null;
  const { scale } = store;
  const d = store.matrix("Q")?.cols ?? 1;
  const scaling =
    Math.abs(scale * Math.sqrt(d) - 1) < 1e-6
      ? " / √d_k"
      : scale === 1
        ? ""
        : ` · ${number(scale)}`;
  const T = store.get("temperature");
  if (store.mistake?.step === name) return store.mistake.wrong;
  switch (name) {
    case "embeddings":
      return keys === "Y" ? "queries' embeddings" : "embeddings";
    case "key_embeddings":
      return "keys' embeddings";
    case "Q":
      return hasInputs ? `${positioned("X")} W_q${rotation}` : "queries";
    case "K":
      return hasInputs ? `${positioned(keys)} W_k${rotation}` : "keys";
    case "V":
      return hasInputs ? `${positioned(keys)} W_v` : "values";
    case "scores":
      return `Q Kᵀ${scaling}${biasTerm(store)}`;
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

function biasTerm(store: Store): string {
  if (!store.matrix("bias")) return "";
  return store.get("positional") === "alibi" ? " − distance" : " + bias";
}
