/** The one table of names that cross the wire; a test compares it with the Python class. */

/** An array as Python sends it: C-contiguous, little-endian. */
export interface Packed {
  data: DataView | ArrayBuffer | Uint8Array;
  dtype: "float32" | "int32" | "uint8";
  shape: number[];
}

export interface LayerInfo {
  index: number;
  module: string;
  kind: string;
  n_heads: number;
  n_kv_heads: number;
}

/** Cells of the mask as runs over flat indices: start, length, start, length, ... */
export type Runs = number[];

/** One edit of the mask, idempotent: these cells masked, those freed. */
export interface Op {
  seq: number;
  /** Ops of one stroke (a drag) undo together. */
  stroke: number;
  on: Runs;
  off: Runs;
  /** The map that it was made on: an edit of a map that is gone changes nothing. */
  shape: [number, number];
  /** "undo" and "redo" move through Python's history; on/off say what the browser showed. */
  move?: "undo" | "redo";
}

/** Every op that Python has not yet answered; sent whole, so a lost message costs nothing. */
export interface Edits {
  client: string;
  ops: Op[];
}

/** Python's answer: the rows that changed. */
export interface Patch {
  /** Last op applied, by client. */
  acks: Record<string, number>;
  /** The page that made the edit, or "python". */
  origin: string;
  rows: Packed;
  mask: Packed;
  attention: Packed;
  output: Packed;
}

export type ColorScale = "unit" | "row" | "map";

export interface Traits {
  tokens: string[];
  embeddings: Packed | null;
  W_q: Packed | null;
  W_k: Packed | null;
  W_v: Packed | null;
  Q: Packed;
  K: Packed;
  V: Packed;
  scale: number;
  scores: Packed;
  mask: Packed;
  locked: Packed | null;
  attention: Packed;
  output: Packed;
  layers: LayerInfo[];
  layer: number;
  head: number;
  view: string;
  cmap: string;
  color_scale: ColorScale;
  selection: [number, number] | null;
  title: string;
  subtitle: string;
  notice: string;
  error: string;
  /** The layer and head that the arrays belong to. */
  shown: [number, number];
  revision: number;
  /** How many steps Python can undo and redo. */
  history: [number, number];
  _edits: Edits;
  _patch: Patch | null;
}
