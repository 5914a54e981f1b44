/** The difference of a quantity to the state before the last edit, in closed form. */
import { expect, test } from "vitest";
import { cellDifference } from "../../js/explain/difference";
import { differenceMap, showsDifference, whyNoDifference } from "../../js/state/difference";
import { formerMap } from "../../js/state/quantity";
import type { Quantity } from "../../js/wire/schema";
import { outputOf, unending, V, weightsOf } from "./model";
import { expectClose, opened } from "./opened";

const NORMS = V.map((row) => Math.hypot(...row));

function watched(quantity: Quantity = "attention", more = {}) {
  const page = opened({ quantity, ...more });
  page.store.before.watch(unending);
  page.store.showDifference(true);
  return page;
}

/** How far each output moves without each key: the output is computed again without the key. */
const shiftsOf = (masked: readonly (readonly [number, number])[]) =>
  weightsOf(masked).flatMap((row, q) =>
    row.map((p, k) => {
      if (p === 0) return 0;
      const [now, then] = [masked, [...masked, [q, k] as const]].map(
        (cells) => outputOf(weightsOf(cells))[q] as number[],
      );
      return Math.hypot(...now!.map((value, c) => value - then![c]!));
    }),
  );

test.each<[Quantity, (masked: readonly (readonly [number, number])[]) => number[]]>([
  ["attention", (masked) => weightsOf(masked).flat()],
  ["value-norm", (masked) => weightsOf(masked).flatMap((row) => row.map((p, k) => p * NORMS[k]!))],
  ["output-shift", shiftsOf],
])("of %s, after two edits", (quantity, numbers) => {
  const { store, mask } = watched(quantity);
  expect([differenceMap(store), showsDifference(store)]).toEqual([null, false]);
  expect(whyNoDifference(store)).toContain("no edit yet");
  mask([1, 2]);
  const [first, second] = [numbers([[1, 2]]), numbers([[1, 2], [0, 0]])]; // biome-ignore format: short
  expectClose(differenceMap(store)!.data, first.map((value, at) => value - numbers([])[at]!)); // biome-ignore format: short
  mask([0, 0]);
  expectClose(formerMap(store)!.data, first);
  expectClose(differenceMap(store)!.data, second.map((value, at) => value - first[at]!)); // biome-ignore format: short
  expect(showsDifference(store)).toBe(true);
});

test("the row that is read is enough, and has the same numbers", () => {
  const { store, mask } = watched("value-norm");
  mask([1, 2]);
  const row = [...differenceMap(store, 1)!.data.subarray(3)];
  expect(row).toEqual([...differenceMap(store)!.data.subarray(3)]);
});

test("words of a cell, and none where the numbers before are not known", () => {
  const { store, mask } = watched();
  expect(cellDifference(store, 1, 2)).toBe("");
  mask([1, 2]);
  expect(cellDifference(store, 1, 2)).toBe("before 0.64, now 0: Δ = −0.64");
  expect(cellDifference(store, 1, 1)).toBe("before 0.29, now 0.80: Δ = +0.51");
  expect(cellDifference(store, 0, 1)).toBe("before 0.33, now 0.33: Δ = 0");
  store.showDifference(false);
  expect(cellDifference(store, 1, 2)).toBe("");
});
