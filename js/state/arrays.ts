/** The arrays and the names that views draw: Python's, with the page's numbers over them. */
import { type Matrix, matrix } from "../wire/codec";
import type { LayerInfo, Traits } from "../wire/schema";
import type { ArrayName, Confirmed, Mirror } from "./mirror";
import type { Replay } from "./replay";

export function createArrays(mirror: Mirror, replay: Replay) {
  const { nQ, nK, stackedHeads, headIndex } = mirror;
  const { flat } = replay;

  /** A trait as Python has confirmed it; a factor of the scores and the knock-outs as they are shown. */
  function get<K extends Confirmed>(name: K): Traits[K] {
    const { scale, temperature, knockouts } = replay.shown;
    const ofPage: Partial<Traits> = { scale, temperature, knockouts: knockouts as never };
    return name in ofPage ? (ofPage[name] as Traits[K]) : mirror.get(name);
  }

  const shown = () => {
    const [layer, head, stack] = get("shown");
    // Stacked heads are all here: the head that is picked is the head that is shown.
    return { layer, head: stackedHeads() > 1 ? get("head") : head, stack };
  };

  const layers = (): LayerInfo[] => {
    const { stack } = shown();
    return [...get("layers"), ...get("derived_layers")].filter((layer) => layer.stack === stack);
  };

  /** The matrix of a head as it is shown, of the shown head where none is named; null without it. */
  function matrixOf(name: ArrayName, head = headIndex()): Matrix | null {
    const [packed, data] = [mirror.packed(name), flat(name)];
    return packed && data && matrix(packed, head, data);
  }

  return {
    get,
    get nQ() {
      return nQ();
    },
    get nK() {
      return nK();
    },
    get nHeads() {
      return layers().find((layer) => layer.index === shown().layer)?.n_heads ?? stackedHeads();
    },
    /** The layer, head and stack that the arrays belong to: what is picked may not be here yet. */
    get shown() {
      return shown();
    },
    /** Whether a layer, head or stack is picked whose arrays are not here yet. */
    get isAwaited() {
      const { layer, head, stack } = shown();
      return layer !== get("layer") || head !== get("head") || stack !== get("stack");
    },
    /** The layers of the stack shown. */
    get layers(): LayerInfo[] {
      return layers();
    },
    /** Heads whose maps are all on the page: 1 where they come one at a time. */
    get stackedHeads() {
      return stackedHeads();
    },
    get tokens() {
      return get("tokens");
    },
    get keyTokens() {
      return get("key_tokens") ?? get("tokens");
    },
    get scale() {
      return mirror.scale(replay.shown.scale);
    },
    /** (nQ, nK), 1 = masked. */
    get mask() {
      return flat("mask") as Uint8Array;
    },
    /** Cells that the model itself masks: shown, never changed. */
    get locked() {
      return flat("locked") as Uint8Array | null;
    },
    /** What a row of given weights sums to; 1 where softmax made it. */
    rowMass: (q: number) => (flat("row_mass") as Float32Array | null)?.[q] ?? 1,
    get attention(): Matrix {
      return matrixOf("attention") as Matrix;
    },
    matrix: matrixOf,
    /** ‖v W_O‖ of each key; null where W_O isn't known. */
    get outputNorms() {
      return flat("output_norms") as Float32Array | null;
    },
    /** Whether a query, or a key, is a special token: [CLS], padding. */
    isSpecial: (side: "query" | "key", i: number) =>
      (side === "query" || get("key_tokens") === null) && get("special")[i] === true,
    /** Whether a query, or a key, is a token that the model has generated. */
    isGenerated(side: "query" | "key", i: number) {
      const first = get("generation")?.first[side === "query" ? 0 : 1] ?? null;
      return first !== null && i >= first && i < nQ(); // a sink comes after all keys
    },
    /** Whether the scores are a model's own: those of given weights are their logarithms. */
    get hasScores() {
      return flat("row_mass") === null;
    },
  };
}
