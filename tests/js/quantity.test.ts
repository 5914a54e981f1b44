import type { AnyModel } from "@anywidget/types";
import { describe, expect, it } from "vitest";
import {
  norms,
  offered,
  QUANTITIES,
  quantityMap,
  shownQuantity,
  weighted,
} from "../../js/state/quantity";
import { createStore } from "../../js/state/store";
import type { Packed, Quantity, Traits } from "../../js/wire/schema";

const f32 = (rows: number[][]): Packed => ({
  data: new DataView(Float32Array.from(rows.flat()).buffer),
  dtype: "float32",
  shape: [rows.length, rows[0].length],
});
const row = (values: number[]): Packed => ({ ...f32([values]), shape: [values.length] });

// Two queries, three keys: softmax of scores that are logarithms is their share.
const WEIGHTS = [
  [0.5, 0.25, 0.25],
  [0.1, 0.2, 0.7],
];
const VALUES = [
  [3, 4],
  [0, 0],
  [-5, 12],
];
const times = (A: number[][], V: number[][]) =>
  A.map((w) => [0, 1].map((c) => w.reduce((sum, p, k) => sum + p * V[k][c], 0)));

function store(more: Partial<Record<keyof Traits, unknown>> = {}) {
  const traits: Record<string, unknown> = {
    ...{ tokens: ["a", "b"], key_tokens: ["x", "y", "z"], stack: "cross", layer: 0, head: 0 },
    ...{ layers: [], derived_layers: [], shown: [0, 0, "cross"], temperature: 1, scale: 1 },
    ...{ presets: {}, special: [], history: [0, 0], report: null, quantity: "attention" },
    mask: { data: new DataView(new ArrayBuffer(6)), dtype: "uint8", shape: [2, 3] },
    scores: f32(WEIGHTS.map((w) => w.map(Math.log))),
    attention: f32(WEIGHTS),
    V: f32(VALUES),
    output: f32(times(WEIGHTS, VALUES)),
    output_norms: row([2, 0.5, 10]),
    row_mass: null,
    locked: null,
    ...more,
  };
  const model = {
    get: (name: string) => traits[name] ?? null,
    on: () => {},
    off: () => {},
  } as unknown as AnyModel<Traits>;
  // Nothing ends here, and Node warns of many listeners to one end.
  return createStore(model, { addEventListener() {} } as unknown as AbortSignal);
}

const shown = (quantity: Quantity, more = {}) => store({ quantity, ...more });
const numbers = (quantity: Quantity, more = {}) => [...quantityMap(shown(quantity, more)).data];
const GIVEN = { V: null, output: null, output_norms: null, row_mass: row([1, 1]) };

describe("what the numbers of the map may be", () => {
  it("is what there are numbers for", () => {
    expect(offered(store())).toEqual(QUANTITIES.map((q) => q.value));
    expect(offered(store({ output_norms: null }))).toEqual([
      "attention",
      "scores",
      "value-norm",
      "output-shift",
    ]);
    expect(offered(store({ V: null, output: null, output_norms: null }))).toEqual([
      "attention",
      "scores",
    ]);
    // Scores of given weights are their logarithms, and no model's.
    expect(offered(store(GIVEN))).toEqual(["attention"]);
  });

  it("is the one chosen, and the weights where it can't be shown", () => {
    for (const { value } of QUANTITIES) expect(shownQuantity(shown(value)).value).toBe(value);
    expect(shownQuantity(shown("output-norm", { output_norms: null })).value).toBe("attention");
    for (const { value } of QUANTITIES) {
      expect(shownQuantity(shown(value, GIVEN)).value).toBe("attention");
      expect(numbers(value, GIVEN)).toEqual([...Float32Array.from(WEIGHTS.flat())]);
    }
  });

  it("says what it is and where it is from", () => {
    expect(QUANTITIES.filter((q) => q.about === "").map((q) => q.value)).toEqual([]);
    expect(shownQuantity(shown("output-norm")).about).toContain("2004.10102"); // Kobayashi et al. 2020
  });
});

describe("the map", () => {
  it("of weights and of scores is as Python sent it", () => {
    expect(numbers("attention")).toEqual([...Float32Array.from(WEIGHTS.flat())]);
    expect(numbers("scores")).toEqual([...Float32Array.from(WEIGHTS.flat().map(Math.log))]);
  });

  it("of values is each weight times the length of its key's value", () => {
    expect([...norms({ data: Float32Array.from(VALUES.flat()), rows: 3, cols: 2 })]).toEqual([
      5, 0, 13,
    ]);
    const map = quantityMap(shown("value-norm"));
    expect([map.rows, map.cols]).toEqual([2, 3]);
    const wanted = [2.5, 0, 3.25, 0.5, 0, 9.1];
    for (const [i, v] of wanted.entries()) expect(map.data[i]).toBeCloseTo(v, 5);
  });

  it("of projected values takes the lengths that Python knows", () => {
    const wanted = [1, 0.125, 2.5, 0.2, 0.1, 7];
    for (const [i, v] of numbers("output-norm").entries()) expect(v).toBeCloseTo(wanted[i], 5);
  });

  it("of the effect is how far the output moves when the cell is masked", () => {
    const wanted = WEIGHTS.flatMap((weights) =>
      weights.map((_, key) => {
        const left = weights.map((p, k) => (k === key ? 0 : p));
        const sum = left.reduce((a, b) => a + b);
        const without = left.map((p) => p / sum);
        const [[a, b], [c, d]] = times([weights, without], VALUES) as [number[], number[]];
        return Math.hypot(a! - c!, b! - d!);
      }),
    );
    for (const [i, v] of numbers("output-shift").entries()) expect(v).toBeCloseTo(wanted[i], 4);
  });

  it("of several heads is that of the head shown", () => {
    const stacked = (rows: number[][], other: number[][]): Packed => {
      const one = f32([...other, ...rows]);
      return { ...one, shape: [2, rows.length, one.shape[1]] };
    };
    const doubled = VALUES.map((v) => v.map((x) => 2 * x));
    const map = numbers("value-norm", {
      head: 1,
      V: stacked(doubled, VALUES),
      attention: stacked(WEIGHTS, [
        [1, 0, 0],
        [1, 0, 0],
      ]),
      scores: stacked(WEIGHTS, WEIGHTS),
    });
    for (const [i, v] of [5, 0, 6.5, 1, 0, 18.2].entries()) expect(map[i]).toBeCloseTo(v, 5);
  });
});

describe("the arithmetic of a cell", () => {
  it("names what its weight is multiplied with", () => {
    expect(weighted(shown("value-norm"), 2)).toEqual({ factor: 13, name: "‖v‖" });
    expect(weighted(shown("output-norm"), 1)).toEqual({ factor: 0.5, name: "‖v W_O‖" });
  });

  it("has nothing of it where the number stands alone", () => {
    for (const alone of ["attention", "scores", "output-shift"] as const) {
      expect(weighted(shown(alone), 0)).toBeNull();
    }
    expect(weighted(shown("output-norm", { output_norms: null }), 0)).toBeNull();
  });
});
