/** The colours of each matrix of the flow, and the numbers in the cells. */
import { type Lut, lut, signedLut } from "../../draw/color";
import type { Look } from "../../draw/matrix/paint";
import type { MatrixName } from "../../explain/explain";
import type { Store } from "../../state/store";
import { isEditable } from "./flow";

/** The colours of numbers from negative to positive, and of attention weights. */
export interface Tables {
  signed: Lut;
  weights: Lut;
}

export function tablesOf(store: Store, isDark: boolean): Tables {
  return { signed: signedLut(isDark), weights: lut(store.get("cmap")) };
}

/** The look of a matrix, with a scale of its own, because one large matrix would bleach all others. */
export function lookOf(store: Store, name: MatrixName, { signed, weights }: Tables): Look {
  const size = largestSize(store, name);
  const { nK, mask } = store;
  const masked = (r: number, c: number) => Boolean(mask[r * nK + c]);
  const common = {
    queries: store.tokens,
    keys: store.keyTokens,
    largest: size,
    marked: (r: number, c: number) => isEditable(name) && store.isByHand(name, r, c),
  };
  if (name === "mask") {
    const share = (r: number, c: number) => (masked(r, c) ? null : 0.5);
    return { ...common, value: () => 0, share, table: signed, plain: true, signed: false };
  }
  const mistaken = name === "attention" || name === "output" ? store.mistaken : null;
  const m = mistaken ? mistaken[name as "output"] : store.matrix(name);
  const value = (r: number, c: number) => m?.data[r * m.cols + c] as number;
  if (name === "attention") {
    // A mistake may give weight to masked cells: colour every cell that has a number.
    const hasColor = (r: number, c: number) =>
      mistaken ? Number.isFinite(value(r, c)) : !masked(r, c);
    const share = (r: number, c: number) => (hasColor(r, c) ? value(r, c) : null);
    return { ...common, value, share, table: weights, largest: 1, signed: false };
  }
  const share = (r: number, c: number) => {
    const v = value(r, c);
    return Number.isFinite(v) ? (size > 0 ? 0.5 + v / size / 2 : 0.5) : null;
  };
  return { ...common, value, share, table: signed, signed: (m?.data ?? []).some((v) => v < 0) };
}

/** The largest absolute value of a matrix. */
function largestSize(store: Store, name: MatrixName): number {
  const m = name === "mask" ? null : store.matrix(name);
  let size = 0;
  for (const value of m?.data ?? []) size = Math.max(size, Math.abs(value));
  return size;
}
