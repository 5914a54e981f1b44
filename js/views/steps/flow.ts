/** The matrices of the flow, and the types of a chart of the flow. */
import type { Block, Plan } from "../../draw/matrix/block";
import { everySlot, type Slots } from "../../draw/matrix/slots";
import type { MatrixName } from "../../explain/explain";
import { EDITABLE } from "../../state/mirror";
import type { Editable } from "../../wire/schema";

/** What the rows or the columns of a matrix stand for: matrices that share an axis leave out the same numbers of it. */
export type Axis = "queries" | "keys" | "dModel" | "dK" | "dV";

export const AXES: Readonly<Record<MatrixName, readonly [rows: Axis, cols: Axis]>> = {
  embeddings: ["queries", "dModel"],
  key_embeddings: ["keys", "dModel"],
  W_q: ["dModel", "dK"],
  W_k: ["dModel", "dK"],
  W_v: ["dModel", "dV"],
  Q: ["queries", "dK"],
  K: ["keys", "dK"],
  V: ["keys", "dV"],
  scores: ["queries", "keys"],
  mask: ["queries", "keys"],
  attention: ["queries", "keys"],
  output: ["queries", "dV"],
};

/** The sizes of the matrices of the flow. */
export interface Sizes {
  nQ: number;
  nK: number;
  dModel: number;
  dK: number;
  dV: number;
  /** Whether the page has X and the projections; for a model it has only Q, K and V. */
  inputs: boolean;
  /** Whether keys and values come from other tokens. */
  cross: boolean;
  /** The indices of an axis that are drawn; all where it is not given. */
  slots?: Partial<Record<Axis, Slots>>;
}

export interface Arrow {
  /** The path, as the attribute `d` of SVG. */
  d: string;
  label?: { text: string; x: number; y: number };
}

/** A place without matrices in the chart; the height is not limited. */
export interface Free {
  x: number;
  y: number;
  width: number;
}

/** A chart without the width, which follows from the blocks. */
export type Arrangement = Omit<Chart, "width">;

export interface Chart {
  width: number;
  height: number;
  wide: boolean;
  blocks: Block[];
  arrows: Arrow[];
  free?: Free;
}

/** An entry of a matrix of the flow. */
export interface Entry {
  name: MatrixName;
  row: number;
  col: number;
}

/** Whether the matrix is a map of queries and keys, where a click masks. */
export const isMap = (name: MatrixName) =>
  name === "scores" || name === "mask" || name === "attention";

export function isEditable(name: MatrixName): name is Editable {
  return (EDITABLE as readonly string[]).includes(name);
}

/** Gaps in pixels: between columns, at least between columns, between rows. */
export const GAP = { x: 36, least: 26, y: 20 };
/** The width of a cell that has room for a signed number with a decimal. */
export const LEGIBLE = 23;

/** Every matrix of the flow, in the order of the arithmetic. */
export function plans(s: Sizes): Map<MatrixName, Plan> {
  const counts = { ...s, queries: s.nQ, keys: s.nK };
  const plan = (
    name: MatrixName,
    rowLabels: Plan["rowLabels"] = null,
    colLabels: Plan["colLabels"] = null,
  ): [MatrixName, Plan] => {
    const [rows, cols] = AXES[name].map((axis) => counts[axis]) as [number, number];
    const [rowSlots, colSlots] = AXES[name].map(
      (axis) => s.slots?.[axis] ?? everySlot(counts[axis]),
    ) as [Slots, Slots];
    return [name, { name, rows, cols, rowSlots, colSlots, rowLabels, colLabels }];
  };
  return new Map([
    ...(s.inputs
      ? [
          plan("embeddings", "queries"),
          ...(s.cross ? [plan("key_embeddings", "keys")] : []),
          plan("W_q"),
          plan("W_k"),
          plan("W_v"),
        ]
      : []),
    plan("Q", "queries"),
    plan("K", "keys"),
    plan("V", "keys"),
    plan("scores", "queries", "keys"),
    plan("mask", "queries", "keys"),
    plan("attention", "queries", "keys"),
    plan("output", "queries"),
  ]);
}
