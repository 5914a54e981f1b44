import * as d3 from "d3-scale-chromatic";
import { describe, expect, it } from "vitest";
import { inWordsOfCard } from "../../js/card/field-error";
import { isLight, lut, parseColor, signedLut, ticks } from "../../js/draw/color";
import { parseRgba } from "../../js/draw/css-color";
import { RAMPS } from "../../js/draw/ramps";
import { decideDark } from "../../js/entry/host";
import { outputRow, softmaxRow } from "../../js/maths/softmax";
import { createHistory } from "../../js/state/history";
import { hides, sentenceBlocks } from "../../js/state/presets";
import { cells, toRuns } from "../../js/wire/cell-runs";
import { decode, matrix } from "../../js/wire/codec";
import type { Packed, Presets } from "../../js/wire/schema";

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
  const pair = (stroke: number, cell: number) => ({
    stroke,
    step: { on: [cell, 1], off: [] },
    back: { on: [], off: [cell, 1] },
  });
  it("takes back a stroke at once, and gives it again", () => {
    const history = createHistory();
    history.push(pair(1, 0));
    history.push(pair(1, 1));
    history.push(pair(2, 5));
    expect(history.depth).toEqual([2, 0]);
    expect(history.undo()).toEqual({ on: [], off: [5, 1] });
    expect(history.undo()).toEqual({ on: [], off: [0, 2] });
    expect(history.undo()).toEqual({ on: [], off: [] });
    expect(history.redo()).toEqual({ on: [0, 2], off: [] });
    history.push(pair(3, 2));
    expect(history.redo()).toEqual({ on: [], off: [] });
  });

  it("hands on the runs of a single step, because a preset can hold millions of cells", () => {
    const history = createHistory();
    const everyOther = Array.from({ length: 8 }, (_, i) => (i % 2 ? 1 : 2 * i));
    history.push({ stroke: 1, step: { on: everyOther }, back: { off: everyOther } });
    expect(history.undo().off).toBe(everyOther);
    expect(history.redo().on).toBe(everyOther);
  });

  it("gives a cell and a value as the last step of a stroke left them", () => {
    const history = createHistory();
    const causal: Presets = { causal: true };
    history.push({ stroke: 1, step: { on: [4, 1], presets: {} }, back: { presets: causal } });
    history.push({ stroke: 1, step: { off: [4, 1], presets: causal }, back: { presets: {} } });
    expect(history.undo()).toEqual({ on: [], off: [], presets: causal });
    expect(history.redo()).toEqual({ on: [], off: [4, 1], presets: causal });
  });
});

describe("presets", () => {
  const mask = (presets: Presets, n: number, keys: string[], queries = keys) => {
    const hidden = hides(presets, queries, keys);
    return Array.from({ length: n }, (_, q) => keys.map((_, k) => Number(hidden(q, k))).join(""));
  };
  const keys = ["a", "b", "c", "d"];
  it("are the masks that they are named for, non-square too", () => {
    expect(mask({}, 3, keys)).toEqual(["0000", "0000", "0000"]);
    expect(mask({ causal: true }, 3, keys)).toEqual(["0111", "0011", "0001"]);
    expect(mask({ window: 1 }, 3, keys)).toEqual(["0011", "0001", "1000"]);
    expect(mask({ window: 0 }, 2, keys)).toEqual(["0111", "1011"]);
    expect(mask({ prefix: 2 }, 3, keys)).toEqual(["0011", "0011", "0001"]);
    expect(mask({ padding: true }, 3, keys)).toEqual(["0000", "0000", "0000"]);
    expect(mask({ padding: [0, 2] }, 2, keys)).toEqual(["1010", "1010"]);
    const padded = ["a", "[PAD]", "b", "[PAD]", "[PAD]"];
    expect(mask({ padding: true }, 2, padded)).toEqual(["00011", "00011"]);
    expect(mask({ block: true }, 3, ["a", ".", "b", "c"])).toEqual(["0011", "0011", "1100"]);
    expect(mask({ block: true }, 2, ["x", "!", "y"], ["a", "b"])).toEqual(["001", "001"]);
  });

  it("hide together what each of them hides", () => {
    expect(mask({ causal: true, window: 1 }, 4, keys)).toEqual(["0111", "0011", "1001", "1100"]);
  });

  it("end a sentence after its marks", () => {
    expect(sentenceBlocks(["Hi", "!", "?", "So", ".", ")", "x"])).toEqual([0, 0, 0, 1, 1, 1, 2]);
    expect(sentenceBlocks(["[CLS]", "a", "[SEP]", "b", "[SEP]"])).toEqual([0, 0, 0, 1, 1]);
  });
});

describe("colour", () => {
  it("has matplotlib's viridis", () => {
    const table = lut("viridis");
    const at = (i: number) => [...table.slice(i * 3, i * 3 + 3)];
    expect(at(0)).toEqual([0x44, 0x01, 0x54]);
    expect(at(127)).toEqual([0x21, 0x90, 0x8d].map((c) => expect.closeTo(c, -0.5)));
    expect(at(255)).toEqual([0xfd, 0xe7, 0x25]);
  });

  it.each(Object.keys(RAMPS))("has d3's %s", (name) => {
    const title = name[0]?.toUpperCase() + name.slice(1);
    const interpolate = (d3 as unknown as Record<string, (t: number) => string>)[
      `interpolate${title}`
    ] as (t: number) => string;
    const table = lut(name);
    for (let i = 0; i < 256; i++) {
      const color = parseColor(interpolate(i / 255));
      color.forEach((want, c) => {
        expect(Math.abs(table[i * 3 + c] - want)).toBeLessThanOrEqual(5.5);
      });
    }
  });

  it.each([true, false])("has blue below 0 and red above, dark %s", (dark) => {
    const at = (i: number) => signedLut(dark).slice(i * 3, i * 3 + 3);
    const [low, middle, high] = [at(40), at(127), at(215)];
    expect(low[2]).toBeGreaterThan(low[0]);
    expect(high[0]).toBeGreaterThan(high[2]);
    expect(Math.max(...middle) - Math.min(...middle)).toBeLessThan(20);
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
    // The colours that the user forces on every page win, whatever the page calls itself.
    const forced = [255, 255, 255] as const;
    expect(decideDark({ ...signs, jupyterThemeLight: "false", forced })).toBe(false);
    expect(decideDark({ ...signs, rootTheme: "light", forced: [0, 0, 0] })).toBe(true);
    // A word that only begins like a theme is none.
    expect(decideDark({ ...signs, rootTheme: "darkroom dark-toggle auto" })).toBe(false);
    expect(decideDark({ ...signs, rootTheme: "theme-dark" })).toBe(true);
    expect(decideDark({ ...signs, rootTheme: "light-mode", background: [0, 0, 0] })).toBe(false);
    // Colab names its dark theme and not its light theme, whatever the browser prefers.
    expect(decideDark({ ...signs, rootTheme: "dark", isColab: true })).toBe(true);
    expect(decideDark({ ...signs, isColab: true, prefersDark: true })).toBe(false);
  });

  it.each([
    ["rgb(1, 2, 3)", [1, 2, 3, 1]],
    ["rgba(0, 0, 0, 0)", [0, 0, 0, 0]],
    ["rgb(20 20 20 / 40%)", [20, 20, 20, 0.4]],
    ["color(srgb 1 1 1)", [255, 255, 255, 1]],
    ["color(srgb 0.2 0 none / 0.5)", [51, 0, 0, 0.5]],
    ["color(display-p3 1 1 1)", null],
    ["oklch(0.2 0 0)", null],
  ])("reads the background %s as sRGB", (text, expected) => {
    expect(parseRgba(text)).toEqual(expected);
  });
});

it.each([
  [
    "n_heads: got 40, want at most 16: more maps side by side are too small to read",
    "40",
    "heads: got “40”, want at most 16: more maps side by side are too small to read",
  ],
  [
    "tokens: got none, want a sentence or a list with at least one token",
    "   ",
    "sentence: got none, want a sentence or a list with at least one token",
  ],
  ["seed: got '', want a whole number", "1e", "seed: got “1e”, want a whole number"],
  ["positional: rotary needs pairs; got 3", "rotary", "positions: rotary needs pairs; got 3"],
])("a refusal %j is said in the words of the card", (words, typed, expected) => {
  expect(inWordsOfCard(words, typed)).toBe(expected);
});
