/** The heads of a saved page: the inputs of each map, and the maps computed from them as Python does. */
import { type Flow, rescore } from "../maths/flow";
import { recomputeRows } from "../maths/rows";
import type { Editable } from "../wire/schema";
import type { HeadArray, ReadArray, SavedFile, SavedHead, SavedStack } from "./file";

/** Where a map is. */
export interface Place {
  readonly stack: string;
  readonly layer: number;
  readonly head: number;
}

/** What was set by hand in a head. */
export interface Edit {
  readonly inputs: ReadonlyMap<Editable, Float32Array>;
  readonly hand: ReadonlyMap<Editable, ReadonlySet<number>>;
  readonly scale?: number;
  readonly temperature?: number;
  /** Whether the numbers that were set by hand before the page was saved are taken back. */
  readonly isReset?: boolean;
}
export const NO_EDIT: Edit = { inputs: new Map(), hand: new Map() };

/** A head with its arrays and their shapes. */
export interface Head {
  readonly saved: SavedHead;
  readonly arrays: Partial<Record<HeadArray, Float32Array>>;
  readonly locked: Uint8Array | null;
  readonly nQ: number;
  readonly nK: number;
  /** Heads that are in the arrays together. */
  readonly stacked: number;
}

export type Heads = ReturnType<typeof createHeads>;

const SENTENCE = ["embeddings", "key_embeddings", "W_q", "W_k", "W_v"] as const;

export function createHeads(file: SavedFile, read: ReadArray) {
  const stacks = new Map(file.stacks.map((stack) => [stack.stack, stack]));
  const opened = new Map<SavedHead, Head>();
  const { traits } = file;
  const sentence = new Map<Editable, Float32Array>();
  for (const name of SENTENCE) {
    const placed = traits[name];
    if (placed) sentence.set(name, read(placed as never) as Float32Array);
  }
  const shapeOf = (name: Editable, head: Head): number[] =>
    (head.saved.arrays[name as "Q"] ?? (traits[name] as { shape: number[] } | null))?.shape ?? [];

  function find({ stack, layer, head }: Place): SavedHead | undefined {
    const saved = stacks.get(stack)?.heads ?? [];
    const isStacked = saved.length === 1 && (saved[0].arrays.Q?.shape.length ?? 0) > 2;
    return saved.find((each) => each.layer === layer && (isStacked || each.head === head));
  }

  function open(saved: SavedHead, { own }: SavedStack): Head {
    const known = opened.get(saved);
    if (known) return known;
    const arrays: Partial<Record<HeadArray, Float32Array>> = {};
    let locked: Uint8Array | null = null;
    for (const [name, placed] of Object.entries(saved.arrays)) {
      if (name === "locked") locked = read(placed) as Uint8Array;
      else arrays[name as HeadArray] = read(placed) as Float32Array;
    }
    const [nQ, nK] = own.shape;
    const shape = saved.arrays.Q?.shape ?? [];
    const head = { saved, arrays, locked, nQ, nK, stacked: shape.length > 2 ? shape[0] : 1 };
    opened.set(saved, head);
    return head;
  }

  return {
    stacks,
    shapeOf,
    has: (place: Place) => find(place) !== undefined,
    at(place: Place): Head {
      const stack = stacks.get(place.stack);
      const saved = find(place);
      if (!stack || !saved) throw new RangeError(`there is no layer ${place.layer} in this page`);
      return open(saved, stack);
    },
    /** An input as it is: edited, or as it was saved. */
    input: (head: Head, edit: Edit, name: Editable): Float32Array | null =>
      edit.inputs.get(name) ?? sentence.get(name) ?? head.arrays[name as "Q"] ?? null,
    flow,
  };

  /** Everything that the maps of a head are computed from, with its maps under `mask` computed. */
  function flow(head: Head, edit: Edit, mask: Uint8Array): Flow {
    const input = (name: Editable) =>
      edit.inputs.get(name) ?? sentence.get(name) ?? head.arrays[name as "Q"] ?? null;
    const { nQ, nK, stacked, saved, arrays } = head;
    const width = (name: Editable) => shapeOf(name, head).at(-1) ?? 0;
    const V = input("V");
    const result: Flow = {
      ...{ n: nQ, nK, heads: stacked, d: width("V"), dK: width("Q"), dModel: width("embeddings") },
      scale: edit.scale ?? saved.scale,
      temperature: edit.temperature ?? saved.temperature,
      softcap: saved.softcap,
      positional: (traits.positional as string | null) ?? "none",
      embeddings: input("embeddings"),
      key_embeddings: input("key_embeddings"),
      ...{ W_q: input("W_q"), W_k: input("W_k"), W_v: input("W_v") },
      Q: input("Q") as Float32Array,
      K: input("K") as Float32Array,
      V,
      bias: arrays.bias ?? null,
      rowMass: arrays.row_mass ?? null,
      mask,
      scores: new Float32Array(stacked * nQ * nK),
      attention: new Float32Array(stacked * nQ * nK),
      output: V && new Float32Array(stacked * nQ * width("V")),
    };
    score(result, head);
    attend(result, head, Array(nQ).keys());
    return result;
  }
}

function score(flow: Flow, { arrays }: Head): void {
  if (arrays.weights) flow.scores.set(arrays.weights.map(Math.log));
  else if (flow.Q && flow.K) rescore(flow);
  else if (arrays.bias) flow.scores.set(arrays.bias); // the scores that a model computed
}

/** Compute rows of the attention and the output. Given weights stay as they are in a row without a masked cell. */
export function attend(flow: Flow, { arrays, nK }: Head, rows: Iterable<number>): void {
  const list = [...rows];
  recomputeRows(flow, list);
  const { weights } = arrays;
  if (!weights || flow.temperature !== 1) return;
  for (const row of list) {
    const [start, end] = [row * nK, (row + 1) * nK];
    if (flow.mask.subarray(start, end).includes(1)) continue;
    flow.attention.set(weights.subarray(start, end), start);
  }
}
