/** How each matrix of the flow is coloured, and which numbers stand in its cells. */
import { type Lut, lut, signedLut } from "../../draw/color";
import type { Look } from "../../draw/matrix/paint";
import type { MatrixName } from "../../explain/explain";
import type { Store } from "../../state/store";
import { isEditable } from "./flow";

/** Matrices that share one scale of colours: what is compared is drawn alike. */
const SCALES: MatrixName[][] = [
  ["embeddings", "key_embeddings"],
  ["W_q", "W_k", "W_v"],
  ["Q", "K", "V", "output"],
  ["scores"],
];

/** Colours of numbers around 0, and of weights. */
export interface Tables {
  signed: Lut;
  weights: Lut;
}

export function tablesOf(store: Store, isDark: boolean): Tables {
  return { signed: signedLut(isDark), weights: lut(store.get("cmap")) };
}

/** A function from a matrix to its look; numbers are compared once for all of them. */
export function looksOf(store: Store, tables: Tables): (name: MatrixName) => Look {
  const sizes = new Map<MatrixName, number>();
  for (const group of SCALES) {
    const most = Math.max(...group.map((name) => furthest(store, name)));
    for (const name of group) sizes.set(name, most);
  }
  return (name) => lookOf(store, name, sizes.get(name) ?? 1, tables);
}

function lookOf(store: Store, name: MatrixName, most: number, { signed, weights }: Tables): Look {
  const { nK, mask } = store;
  const masked = (r: number, c: number) => Boolean(mask[r * nK + c]);
  const common = {
    queries: store.tokens,
    keys: store.keyTokens,
    largest: most,
    marked: (r: number, c: number) => isEditable(name) && store.isByHand(name, r, c),
  };
  if (name === "mask") {
    const share = (r: number, c: number) => (masked(r, c) ? null : 0.5);
    return { ...common, value: () => 0, share, table: signed, plain: true, signed: false };
  }
  const wrong = name === "attention" || name === "output" ? store.mistaken : null;
  const m = wrong ? wrong[name as "output"] : store.matrix(name);
  const value = (r: number, c: number) => m?.data[r * m.cols + c] as number;
  if (name === "attention") {
    // What a mistake gives to masked cells is to be seen; what is no number has no colour.
    const shows = (r: number, c: number) => (wrong ? Number.isFinite(value(r, c)) : !masked(r, c));
    const share = (r: number, c: number) => (shows(r, c) ? value(r, c) : null);
    return { ...common, value, share, table: weights, largest: 1, signed: false };
  }
  const share = (r: number, c: number) => {
    const v = value(r, c);
    return Number.isFinite(v) ? (most > 0 ? 0.5 + v / most / 2 : 0.5) : null;
  };
  return { ...common, value, share, table: signed, signed: (m?.data ?? []).some((v) => v < 0) };
}

/** How far from 0 the numbers of a matrix go. */
function furthest(store: Store, name: MatrixName): number {
  const m = name === "mask" ? null : store.matrix(name);
  let most = 0;
  for (const value of m?.data ?? []) most = Math.max(most, Math.abs(value));
  return most;
}
