/** The matrices of the flow, and the types of a chart of the flow. */
import type { Block, Plan } from "../../draw/matrix/block";
import type { MatrixName } from "../../explain/explain";
import { EDITABLE } from "../../state/mirror";
import type { Editable } from "../../wire/schema";

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
}

export interface Arrow {
  /** The path, as the attribute `d` of SVG. */
  d: string;
  label?: { text: string; x: number; y: number };
}

/** A chart without the width, which follows from the blocks. */
export type Arrangement = Omit<Chart, "width">;

export interface Chart {
  width: number;
  height: number;
  wide: boolean;
  blocks: Block[];
  arrows: Arrow[];
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
export const GAP = { x: 36, least: 26, y: 30 };
/** The width of a cell that has room for a signed number with a decimal. */
export const LEGIBLE = 23;

/** Every matrix of the flow, in the order of the arithmetic. */
export function plans(s: Sizes): Map<MatrixName, Plan> {
  const plan = (
    name: MatrixName,
    rows: number,
    cols: number,
    rowLabels: Plan["rowLabels"] = null,
    colLabels: Plan["colLabels"] = null,
  ): [MatrixName, Plan] => [name, { name, rows, cols, rowLabels, colLabels }];
  return new Map([
    ...(s.inputs
      ? [
          plan("embeddings", s.nQ, s.dModel, "queries"),
          ...(s.cross ? [plan("key_embeddings", s.nK, s.dModel, "keys")] : []),
          plan("W_q", s.dModel, s.dK),
          plan("W_k", s.dModel, s.dK),
          plan("W_v", s.dModel, s.dV),
        ]
      : []),
    plan("Q", s.nQ, s.dK, "queries"),
    plan("K", s.nK, s.dK, "keys"),
    plan("V", s.nK, s.dV, "keys"),
    plan("scores", s.nQ, s.nK, "queries", "keys"),
    plan("mask", s.nQ, s.nK, "queries", "keys"),
    plan("attention", s.nQ, s.nK, "queries", "keys"),
    plan("output", s.nQ, s.dV, "queries"),
  ]);
}
