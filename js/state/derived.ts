/** What the page computes of the arrays, kept until they change. */
import type { Matrix } from "../wire/codec";
import type { Mirror } from "./mirror";
import { createRowCache, type FillRow } from "./row-cache";

/** `flat` gives the arrays as they are shown. */
export function createDerived({
  flat,
  nQ,
  nK,
  headIndex,
}: Pick<Mirror, "flat" | "nQ" | "nK" | "headIndex">) {
  const maps = new Map<string, ReturnType<typeof createRowCache>>();
  const kept = new Map<string, unknown>();

  function derived(name: string, fill: FillRow, row?: number, cols = nK()): Matrix {
    const map = maps.get(name) ?? createRowCache();
    maps.set(name, map);
    return map.read(nQ(), cols, headIndex(), fill, row);
  }

  function once<T>(name: string, compute: () => T): T {
    const key = `${name} ${headIndex()}`;
    if (!kept.has(key)) kept.set(key, compute());
    return kept.get(key) as T;
  }

  /** How many cells of a row are masked that can be freed. */
  const countOwn: FillRow = (q, out, start) => {
    const [mask, locked] = [flat("mask"), flat("locked")];
    out[start] = 0;
    for (let at = q * nK(); at < (q + 1) * nK(); at++) {
      if (mask?.[at] && !locked?.[at]) out[start]++;
    }
  };

  return {
    /** A map (n_q, n_k) that is computed by rows: all of it, or the row that is read. */
    derived,
    /** What follows from the arrays of the shown head, computed once. */
    once,
    /** Whether a cell is masked that can be freed. */
    canClear: () =>
      once("can clear", () => derived("own mask", countOwn, undefined, 1).data.some(Boolean)),
    /** These rows are others now, null for all; `other` where something beside the rows is. */
    forget(rows: ReadonlySet<number> | null, other: boolean) {
      for (const map of maps.values()) map.forget(rows);
      if (rows?.size !== 0 || other) kept.clear();
    },
  };
}
