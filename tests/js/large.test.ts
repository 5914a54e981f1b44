/** Maps of more cells than a function can be called with arguments. */
import { expect, test } from "vitest";
import { invariants } from "../../js/maths/invariants";
import { paintLines } from "../../js/views/lines/paint";
import type { Report } from "../../js/wire/schema";
import { openCard } from "./card";
import { openPage } from "./page";

const [ROWS, COLS] = [360, 400];

function uniform(rows: number, cols: number) {
  const attention = new Float32Array(rows * cols).fill(1 / cols);
  const packed = (data: Float32Array | Uint8Array, dtype: "float32" | "uint8") => ({
    ...{ data: new DataView(data.buffer), dtype, shape: [rows, cols] },
  });
  return {
    mask: packed(new Uint8Array(rows * cols), "uint8"),
    expected: packed(attention, "float32"),
    got: packed(
      attention.map((p) => 2 * p),
      "float32",
    ),
  };
}

test.each(["check", "mistake"] as const)("the report of a %s on 400 tokens is drawn", (kind) => {
  const report: Report = {
    ...{ kind, name: "no-scale", message: "No scale.", case: "other", revision: 1 },
    ...{ step: "", wrong: "", right: "", scores: null, weights: null },
    ...uniform(ROWS, COLS),
  };
  const { alert, page, $ } = openCard({ report });
  page.frame();
  expect([alert(), page.uncaught]).toEqual(["", []]);
  expect($(".aw-report-maps").querySelectorAll(".aw-matrix").length).toBe(3);
});

test("lines to 200,000 keys are drawn", () => {
  const nK = 200_000;
  const each = (_: number, __: number, visit: (key: number, weight: number) => void) =>
    visit(nK - 1, 0.75);
  const scene = {
    ...{
      data: { heads: 1, nQ: 2, nK, queries: 2, each, rest: () => 0.25 },
      heads: [0],
      special: () => false,
      generated: () => false,
    },
    ...{ queries: ["a", "b"], keys: Array<string>(nK).fill("k"), looking: new Set([1]), key: null },
    ...{
      selected: new Set<number>(),
      active: null,
      scroll: 0,
      columns: { left: 200, right: 600, width: 800 },
      height: 400,
      dark: false,
    },
  };
  const context = openPage().root.getContext() as CanvasRenderingContext2D;
  expect(() => paintLines(context, scene, {} as never)).not.toThrow();
});

test("the invariants of 200,000 rows name the lowest and the highest sum", () => {
  const rows = 200_000;
  const got = new Float32Array(rows * 2).fill(0.5);
  got[7] = 0.25;
  const [sums] = invariants(got, new Uint8Array(rows * 2), rows, 2);
  expect(sums?.says).toBe("rows sum to 0.75 to 1.00, not to 1");
});
