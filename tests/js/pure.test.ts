import { describe, expect, it } from "vitest";
import { decode, matrix } from "../../js/codec";
import { CMAPS, isLight, lut, ticks } from "../../js/color";
import { createHistory } from "../../js/history";
import { decideDark } from "../../js/host";
import { hides, type Preset } from "../../js/presets";
import { cells, toRuns } from "../../js/runs";
import { outputRow, softmaxRow } from "../../js/softmax";
import type { Packed } from "../../js/types";
import { shift, softmaxParts, terms } from "../../js/views/arithmetic";

const f32 = (values: number[], shape: number[]): Packed => ({
  data: new DataView(Float32Array.from(values).buffer),
  dtype: "float32",
  shape,
});

describe("codec", () => {
  it("reads the bytes where they are, and writes into them", () => {
    const packed = f32([1, 2, 3, 4, 5, 6], [2, 3]);
    const flat = decode(packed);
    flat[4] = 50;
    expect((packed.data as DataView).getFloat32(16, true)).toBe(50);
  });

  it("honours a byte offset, and moves a misaligned buffer once", () => {
    const bytes = new Uint8Array(13);
    new DataView(bytes.buffer).setFloat32(1, 2.5, true);
    new DataView(bytes.buffer).setFloat32(5, -1, true);
    const packed: Packed = { data: new DataView(bytes.buffer, 1, 8), dtype: "float32", shape: [2] };
    const flat = decode(packed);
    expect([...flat]).toEqual([2.5, -1]);
    flat[0] = 7;
    expect([...decode(packed)]).toEqual([7, -1]);
  });

  it("refuses bytes that do not fill the shape, and dtypes it does not know", () => {
    expect(() => decode(f32([1, 2], [3]))).toThrow("needs 12 bytes, got 8");
    expect(() => decode({ ...f32([1], [1]), dtype: "float16" as "float32" })).toThrow("float16");
  });

  it("picks a head of a stack, and takes a lone matrix as it is", () => {
    const stack = f32([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 2, 3]);
    expect([...matrix(stack, 1).data]).toEqual([7, 8, 9, 10, 11, 12]);
    expect(matrix(f32([1, 2], [1, 2]), 5)).toMatchObject({ rows: 1, cols: 2 });
  });
});

describe("softmax", () => {
  it("gives the closed form of two keys, and leaves other rows alone", () => {
    const out = new Float32Array([9, 9, 9, 9, 9, 9]);
    softmaxRow([0, 0, 0, 0, Math.log(3), 99], [0, 0, 1], 3, 0, 3, out);
    expect([...out.slice(0, 3)]).toEqual([9, 9, 9]);
    expect(out[3]).toBeCloseTo(0.25, 6);
    expect(out[4]).toBeCloseTo(0.75, 6);
    expect(out[5]).toBe(0);
  });

  it("stays finite at ±10,000 and is zero in an empty row", () => {
    const out = new Float32Array(3);
    softmaxRow([1e4, -1e4, 1e4], [0, 0, 0], 0, 0, 3, out);
    expect([...out]).toEqual([0.5, 0, 0.5]);
    softmaxRow([1, 2, 3], [1, 1, 1], 0, 0, 3, out);
    expect([...out]).toEqual([0, 0, 0]);
  });

  it("sums values", () => {
    const out = new Float32Array(4);
    outputRow(Float32Array.from([0.25, 0.75]), 0, 2, Float32Array.from([1, 2, 3, 4]), 2, out, 2);
    expect([...out]).toEqual([0, 0, 2.5, 3.5]);
  });
});

describe("runs", () => {
  it("round trips", () => {
    const set = [0, 1, 2, 7, 9, 10];
    expect(toRuns(set)).toEqual([0, 3, 7, 1, 9, 2]);
    expect([...cells(toRuns(set))]).toEqual(set);
  });
});

describe("history", () => {
  it("takes back a stroke at once, and gives it again", () => {
    const history = createHistory();
    history.push({ stroke: 1, on: [0, 1], off: [] });
    history.push({ stroke: 1, on: [1, 1], off: [] });
    history.push({ stroke: 2, on: [], off: [5, 1] });
    expect(history.depth).toEqual([2, 0]);
    expect(history.undo()).toEqual([{ stroke: 2, on: [5, 1], off: [] }]);
    expect(history.undo().map((s) => s.off)).toEqual([
      [1, 1],
      [0, 1],
    ]);
    expect(history.undo()).toEqual([]);
    expect(history.redo().map((s) => s.on)).toEqual([
      [0, 1],
      [1, 1],
    ]);
    history.push({ stroke: 3, on: [2, 1], off: [] });
    expect(history.redo()).toEqual([]);
  });
});

describe("presets", () => {
  const mask = (name: Preset, n: number, keys: string[]) => {
    const hidden = hides(name, keys);
    return Array.from({ length: n }, (_, q) => keys.map((_, k) => Number(hidden(q, k))).join(""));
  };
  const keys = ["a", "b", "c", "d"];
  it("are the masks that they are named for, non-square too", () => {
    expect(mask("none", 3, keys)).toEqual(["0000", "0000", "0000"]);
    expect(mask("causal", 3, keys)).toEqual(["0111", "0011", "0001"]);
    expect(mask("window", 3, keys)).toEqual(["0011", "0001", "1000"]);
    expect(mask("padding", 3, keys)).toEqual(["0001", "0001", "0001"]);
    expect(mask("padding", 2, ["a", "[PAD]", "b", "[PAD]", "[PAD]"])).toEqual(["00011", "00011"]);
  });
});

describe("colour", () => {
  it("has matplotlib's viridis", () => {
    const table = lut("viridis");
    const at = (i: number) => [...table.slice(i * 3, i * 3 + 3)];
    expect(at(0)).toEqual([0x44, 0x01, 0x54]);
    expect(at(127)).toEqual([0x21, 0x90, 0x8d].map((c) => expect.closeTo(c, -0.5)));
    expect(at(255)).toEqual([0xfd, 0xe7, 0x25]);
    for (const name of CMAPS) expect(new Set(lut(name)).size).toBeGreaterThan(40);
  });

  it("chooses the ink that contrasts more", () => {
    expect(isLight(253, 231, 37)).toBe(true);
    expect(isLight(68, 1, 84)).toBe(false);
  });

  it("ticks at round numbers", () => {
    expect(ticks(1).map((t) => t.text)).toEqual(["0", "0.25", "0.5", "0.75", "1"]);
    expect(ticks(0.037).map((t) => t.text)).toEqual(["0", "0.01", "0.02", "0.03"]);
    expect(ticks(0).map((t) => t.text)).toEqual(["0"]);
  });
});

describe("host", () => {
  const signs = { bodyClass: "", rootTheme: "", prefersDark: false };
  it("believes the host before the system", () => {
    expect(decideDark({ ...signs, jupyterThemeLight: "true", prefersDark: true })).toBe(false);
    expect(decideDark({ ...signs, jupyterThemeLight: "false" })).toBe(true);
    expect(decideDark({ ...signs, bodyClass: "vscode-dark" })).toBe(true);
    expect(decideDark({ ...signs, bodyClass: "vscode-high-contrast-light" })).toBe(false);
    expect(decideDark({ ...signs, bodyClass: "vscode-high-contrast" })).toBe(true);
    expect(decideDark({ ...signs, rootTheme: "x dark" })).toBe(true);
    expect(decideDark({ ...signs, background: [20, 20, 20] })).toBe(true);
    expect(decideDark({ ...signs, background: [250, 250, 250], prefersDark: true })).toBe(false);
    expect(decideDark({ ...signs, prefersDark: true })).toBe(true);
  });
});

describe("arithmetic", () => {
  const m = (values: number[], cols: number) => ({
    data: Float32Array.from(values),
    rows: values.length / cols,
    cols,
  });

  it("writes q·k out, and folds its middle", () => {
    expect(terms(m([1, -2, 3, 4], 2), 1, m([0.5, 1, 2, -1.25], 2), 1)).toBe(
      "3.00·2.00 + 4.00·−1.25",
    );
    const long = m(Array(10).fill(1), 10);
    expect(terms(long, 0, long, 0)).toBe(
      "1.00·1.00 + 1.00·1.00 + 1.00·1.00 + … 6 more … + 1.00·1.00",
    );
  });

  it("knows the row's maximum and sum under the mask", () => {
    const { max, sum } = softmaxParts(m([5, 0, Math.log(2)], 3), Uint8Array.from([1, 0, 0]), 0);
    expect(max).toBeCloseTo(Math.log(2), 6);
    expect(sum).toBeCloseTo(1.5, 6);
  });

  it("says how far masking a cell moves the output", () => {
    // Values 0, 3 and 12 under weights 1/2, 1/4, 1/4: the output is 3.75.
    const attention = m([0.5, 0.25, 0.25], 3);
    const V = m([0, 3, 12], 1);
    const output = m([3.75], 1);
    expect(shift(attention, V, output, 0, 1)).toBeCloseTo(Math.abs((0 * 2 + 12) / 3 - 3.75), 6);
    expect(shift(attention, V, output, 0, 2)).toBeCloseTo(Math.abs((0 * 2 + 3) / 3 - 3.75), 6);
    // Nearly everything on one key, and everything on it.
    expect(shift(m([0.9, 0.1], 2), m([1, 5], 1), m([1.4], 1), 0, 0)).toBeCloseTo(3.6, 5);
    expect(shift(m([1, 0], 2), m([-2, 5], 1), m([-2], 1), 0, 0)).toBe(2);
  });
});
