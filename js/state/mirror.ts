/**
 * What Python has confirmed: its traits, and their arrays as typed arrays over the model's own bytes.
 * Only Python's rows are written into them, so that a notebook is saved with Python's numbers.
 */
import type { AnyModel } from "@anywidget/types";
import type { Flow } from "../maths/flow";
import { decode, type Flat } from "../wire/codec";
import type { Editable, Packed, Traits } from "../wire/schema";

export const ARRAYS = [
  "embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V", "bias", "output_norms", "scores", "mask",
  "locked", "attention", "output", "row_mass",
] as const; // biome-ignore format: a table
/** What a hand may set, number by number. */
export const EDITABLE: readonly Editable[] = [
  "embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V",
]; // biome-ignore format: a table
export type ArrayName = (typeof ARRAYS)[number];
const VALUES = [
  "tokens", "key_tokens", "scale", "temperature", "d_model", "d_k", "d_v", "n_heads", "seed", "init",
  "positional", "given", "replaced", "overridden", "presets", "layers", "layer", "head", "view", "cmap", "color_scale",
  "quantity", "mistake", "report", "selection", "heads_on", "grid_order", "grid_statistic", "title", "subtitle", "notice", "error", "shown", "stack", "softcap", "bertviz_views",
  "derived_layers", "special", "sentence_b_start", "merge", "hide_special",
  "revision", "history", "generation", "input_text", "checkpoint", "checkpoints",
  "knockouts", "effect", "run_state", "shown_run", "effect_position", "runs",
] as const; // biome-ignore format: a table
/** The traits that a page shows. */
export type Confirmed = ArrayName | (typeof VALUES)[number];
export const CONFIRMED: readonly Confirmed[] = [...ARRAYS, ...VALUES];
export const isArray = (name: Confirmed): name is ArrayName =>
  (ARRAYS as readonly string[]).includes(name);

/** A whole state brings new lists. Lists with the same items name the same tokens and layers. */
const LISTS: readonly Confirmed[] = ["tokens", "key_tokens", "layers"];
const isSame = (name: Confirmed, a: unknown, b: unknown) =>
  a === b || (LISTS.includes(name) && JSON.stringify(a) === JSON.stringify(b));

/** What the page computes the scores and the weights with. */
export interface Factors {
  scale: number | null;
  temperature: number;
}

export type Mirror = ReturnType<typeof createMirror>;

export function createMirror(model: AnyModel<Traits>) {
  const decoded = new Map<ArrayName, Flat | null>();
  // Not the model's traits, which are those of the last message, whether the page has taken it or not.
  const values = new Map<Confirmed, unknown>(CONFIRMED.map((name) => [name, model.get(name)]));
  const get = <K extends Confirmed>(name: K) => values.get(name) as Traits[K];
  const packed = (name: ArrayName) => get(name) as Packed | null;
  const flat = (name: ArrayName): Flat | null => {
    if (!decoded.has(name)) {
      const value = packed(name);
      decoded.set(name, value && decode(value));
    }
    return decoded.get(name) as Flat | null;
  };
  const shape = (name: ArrayName) => packed(name)?.shape ?? [];
  const nQ = () => shape("mask")[0];
  const nK = () => shape("mask")[1];
  /** How many heads are stacked in the arrays. */
  const stackedHeads = () => (shape("scores").length > 2 ? shape("scores")[0] : 1);
  const width = (name: ArrayName) => shape(name).at(-1) ?? 0;
  const scale = (own: number | null) => own ?? width("Q") ** -0.5;

  return {
    get,
    packed,
    flat,
    nQ,
    nK,
    stackedHeads,
    scale,
    /** Which of the stacked heads is shown. */
    headIndex: () => (stackedHeads() > 1 ? get("head") : 0),
    /** The values of the model that were not adopted. */
    differing: () =>
      new Map(
        CONFIRMED.map((name) => [name, model.get(name)] as const).filter(
          ([name, value]) => !isSame(name, value, values.get(name)),
        ),
      ),
    /** Take a value that Python has confirmed. */
    adopt(name: Confirmed, value: unknown) {
      values.set(name, value);
      if (isArray(name)) decoded.delete(name);
    },
    /** Where a cell of the matrix of one head lies in the whole array. */
    index(name: Editable, head: number, row: number, col: number): number[] {
      return shape(name).length > 2 ? [head, row, col] : [row, col];
    },
    /** The arrays to compute with, as `flat` gives them. */
    flow(flat: (name: ArrayName) => Flat | null, factors: Factors): Flow {
      const floats = (name: ArrayName) => flat(name) as Float32Array | null;
      return {
        n: nQ(),
        nK: nK(),
        heads: stackedHeads(),
        d: width("V"),
        dK: width("Q"),
        dModel: width("embeddings"),
        scale: scale(factors.scale),
        temperature: factors.temperature,
        positional: get("positional") ?? "none",
        embeddings: floats("embeddings"),
        key_embeddings: floats("key_embeddings"),
        W_q: floats("W_q"),
        W_k: floats("W_k"),
        W_v: floats("W_v"),
        Q: flat("Q") as Float32Array,
        K: flat("K") as Float32Array,
        V: floats("V"),
        bias: floats("bias"),
        softcap: get("softcap"),
        rowMass: floats("row_mass"),
        mask: flat("mask") as Uint8Array,
        scores: flat("scores") as Float32Array,
        attention: flat("attention") as Float32Array,
        output: floats("output"),
      };
    },
  };
}
