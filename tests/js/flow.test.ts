import { describe, expect, it } from "vitest";
import { exact, number, sum } from "../../js/explain/numbers";
import { type Flow, reproject, rescore } from "../../js/maths/flow";
import { recomputeRows } from "../../js/maths/rows";
import { shiftRow } from "../../js/maths/shift";
import { softmaxRow } from "../../js/maths/softmax";
import { parse } from "../../js/views/steps/edit";
import type { Editable } from "../../js/wire/schema";

const f = (...values: number[]) => Float32Array.from(values);

/** Two queries, three keys, d_model 2, d_k 2, d_v 1: every product can be checked by head. */
function flow(more: Partial<Flow> = {}): Flow {
  return {
    n: 2,
    nK: 3,
    heads: 1,
    d: 1,
    dK: 2,
    dModel: 2,
    scale: 0.5,
    softcap: null,
    temperature: 1,
    positional: "none",
    embeddings: f(1, 0, 0, 2),
    key_embeddings: f(1, 0, 0, 1, 1, 1),
    W_q: f(1, 2, 3, 4),
    W_k: f(1, 0, 0, 1),
    W_v: f(10, 20),
    Q: f(0, 0, 0, 0),
    K: f(0, 0, 0, 0, 0, 0),
    V: f(0, 0, 0),
    bias: null,
    rowMass: null,
    mask: Uint8Array.from([0, 0, 0, 0, 1, 0]),
    scores: new Float32Array(6),
    attention: new Float32Array(6),
    output: new Float32Array(2),
    ...more,
  };
}

function follow(all: Flow, name: Editable) {
  reproject(all, name);
  rescore(all);
  recomputeRows(all, [0, 1]);
}

describe("what follows from a number", () => {
  it("is everything downstream, and nothing else", () => {
    const all = flow();
    follow(all, "key_embeddings");
    expect([...all.K]).toEqual([1, 0, 0, 1, 1, 1]);
    expect([...(all.V as Float32Array)]).toEqual([10, 20, 30]);
    expect([...all.Q]).toEqual([0, 0, 0, 0]);
    follow(all, "embeddings");
    expect([...all.Q]).toEqual([1, 2, 6, 8]);
    expect([...all.scores]).toEqual([0.5, 1, 1.5, 3, 4, 7]);
    const e = Math.exp;
    const [a, b, c] = [e(-1), e(-0.5), 1];
    const total = a + b + c;
    const want = (10 * a + 20 * b + 30 * c) / total;
    expect(all.output?.[0]).toBeCloseTo(want, 5);
    expect(all.attention[4]).toBe(0);
    expect(all.output?.[1]).toBeCloseTo((10 * e(-4) + 30) / (e(-4) + 1), 5);
  });

  it("leaves what is upstream alone", () => {
    const all = flow({ K: f(1, 0, 0, 1, 1, 1), Q: f(1, 1, 2, 2) });
    reproject(all, "V");
    expect([...all.Q, ...all.K]).toEqual([1, 1, 2, 2, 1, 0, 0, 1, 1, 1]);
    rescore(all);
    expect([...all.scores]).toEqual([0.5, 0.5, 1, 1, 1, 2]);
  });

  it("turns pairs by their position where it is rotary", () => {
    const all = flow({ positional: "rotary", embeddings: f(1, 0, 1, 0) });
    follow(all, "embeddings");
    const [cos, sin] = [Math.cos(1), Math.sin(1)];
    expect([...all.Q.slice(0, 2)]).toEqual([1, 2]);
    expect(all.Q[2]).toBeCloseTo(cos - 2 * sin, 6);
    expect(all.Q[3]).toBeCloseTo(sin + 2 * cos, 6);
  });

  it("adds positions to the embeddings where they are sinusoidal", () => {
    const all = flow({ positional: "sinusoidal", W_q: f(1, 0, 0, 1) });
    follow(all, "embeddings");
    expect(all.Q[0]).toBeCloseTo(1 + Math.sin(0), 6);
    expect(all.Q[1]).toBeCloseTo(0 + Math.cos(0), 6);
    expect(all.Q[2]).toBeCloseTo(0 + Math.sin(1), 6);
    expect(all.Q[3]).toBeCloseTo(2 + Math.cos(1), 6);
  });

  it("keeps the sum of rows that were given", () => {
    const scores = Float32Array.from([0.2, 0.3, 0.3, 0.1, 0.1, 0.2].map(Math.log));
    const all = flow({ V: null, output: null, scores, rowMass: f(0.8, 0.4) });
    recomputeRows(all, [0, 1]);
    expect(all.attention[1]).toBeCloseTo(0.3, 6);
    expect(all.attention[3]).toBeCloseTo((0.4 * 0.1) / 0.3, 6);
  });
});

describe("temperature", () => {
  const at = (T: number, mask = [0, 0, 0]) => {
    const out = new Float32Array(3);
    softmaxRow([2, 1, 2], mask, 0, 0, 3, out, T);
    return [...out];
  };
  it("sharpens, flattens, and at 0 shares among the largest", () => {
    expect(at(0)).toEqual([0.5, 0, 0.5]);
    expect(at(0, [1, 0, 1])).toEqual([0, 1, 0]);
    expect(at(1e-300)).toEqual([0.5, 0, 0.5]);
    const e = Math.exp(-1 / 2);
    expect(at(2)[1]).toBeCloseTo(e / (2 + e), 6);
  });
});

describe("the effect of masking", () => {
  const m = (values: number[], cols: number) => ({
    data: Float32Array.from(values),
    rows: values.length / cols,
    cols,
  });
  const shift = (scores: number[], mask: number[], V: number[], temperature = 1) => {
    const n = scores.length;
    const p = new Float32Array(n);
    softmaxRow(scores, mask, 0, 0, n, p, temperature);
    const output = p.reduce((sum, w, i) => sum + w * V[i], 0);
    const moved = new Float32Array(n);
    shiftRow(
      {
        scores: m(scores, n),
        attention: m([...p], n),
        V: m(V, 1),
        output: m([output], 1),
        mask: Uint8Array.from(mask),
        temperature,
      },
      0,
      moved,
      0,
    );
    return [...moved];
  };
  it("is how far the output moves", () => {
    // Weights 1/2, 1/4, 1/4 over the values 0, 3, 12: the output is 3.75.
    const moved = shift([Math.log(2), 0, 0], [0, 0, 0], [0, 3, 12]);
    expect(moved[0]).toBeCloseTo(7.5 - 3.75, 5);
    expect(moved[1]).toBeCloseTo(4 - 3.75, 5);
    expect(moved[2]).toBeCloseTo(3.75 - 1, 5);
  });
  it("is right where the others underflow, at temperature 0, and where nothing is left", () => {
    expect(shift([1000, 0], [0, 0], [-2, 5])).toEqual([7, 0]);
    expect(shift([3, 2], [0, 0], [-2, 5], 0)).toEqual([7, 0]);
    expect(shift([3, 2], [0, 1], [-2, 5])).toEqual([2, 0]);
  });
});

describe("numbers", () => {
  it("are read as people write them", () => {
    expect(parse(" -0.5 ")).toBe(-0.5);
    expect(parse("−1,25")).toBe(-1.25);
    expect(parse("1e3")).toBe(1000);
    for (const bad of ["", "abc", "1.2.3", "NaN", "Infinity", "1e999"])
      expect(parse(bad)).toBe(null);
  });

  it("go to NumPy as the shortest digits of the same float32", () => {
    for (const value of [0.1, -2.7182817, 1 / 3, 1e-20, 123456.79]) {
      expect(Math.fround(Number(exact(Math.fround(value))))).toBe(Math.fround(value));
    }
    expect(exact(Math.fround(0.1))).toBe("0.1");
  });

  it("fold in the middle of a long sum, and carry a real minus", () => {
    expect(sum(["a", "b"])).toBe("a + b");
    expect(sum(Array(10).fill("x"))).toBe("x + x + x + … 6 more … + x");
    expect(number(-0.5)).toBe("−0.50");
    expect(number(Number.NaN)).toBe("NaN");
  });
});
