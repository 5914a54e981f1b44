/** The colours of each matrix of the flow, and the numbers in the cells. */
import { type Lut, lut, signedLut } from "../../draw/color";
import type { Look } from "../../draw/matrix/paint";
import type { MatrixName } from "../../explain/explain";
import { largestSize } from "../../maths/extent";
import { shareOf } from "../../state/scale";
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
  const m = store.matrix(name);
  const size = name === "mask" ? 0 : largestSize(m?.data ?? []);
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
  const value = (r: number, c: number) => m?.data[r * m.cols + c] as number;
  if (name === "attention") {
    const { blank } = store;
    const share = (r: number, c: number) => (blank[r * nK + c] ? null : value(r, c));
    return { ...common, value, share, table: weights, largest: 1, signed: false };
  }
  const share = (r: number, c: number) => {
    const v = value(r, c);
    return Number.isFinite(v) ? shareOf(v, size, "map", true) : null;
  };
  return { ...common, value, share, table: signed, signed: (m?.data ?? []).some((v) => v < 0) };
}
