import { describe, expect, it } from "vitest";
import { directionOf, inText, shorten, visible } from "../../js/explain/tokens";
import { step } from "../../js/ui/grid-keys";
import { hit, layout, line, nearest } from "../../js/views/heatmap/geometry";

// Every character 6/10 of the font's size: enough to tell fitting from not fitting.
const measure = (font: number) => (text: string) => [...text].length * font * 0.6;
const words = (n: number, length = 5) =>
  Array.from({ length: n }, (_, i) => `w${i}`.padEnd(length, "x"));

describe("labels", () => {
  it("make the invisible visible", () => {
    expect(visible("")).toBe("∅");
    expect(visible("  ")).toBe("␣␣");
    expect(visible("\r\n")).toBe("⏎");
    expect(visible("a\tb")).toBe("a⇥b");
    expect(visible("\u0000\u202ex")).toBe("··x");
    expect(visible("👩\u200d👧")).toBe("👩\u200d👧");
    // Spaces of other widths, characters without width, and an accent without its letter.
    expect(visible("\u00a0\u3000")).toBe("␣␣");
    expect(visible("\u00ad\u061c\u2060")).toBe("···");
    expect(visible("\u200d\ufe0f")).toBe("··");
    // A stack of marks would cover the lines above and below.
    expect(visible(`e${"\u0301".repeat(200)}x`)).toBe(`e${"\u0301".repeat(6)}x`);
    expect(visible("\u0301")).toBe("◌\u0301");
    // A joiner inside a Persian word and the points of a Hebrew word belong to the word.
    expect(visible("می\u200cخواهم")).toBe("می\u200cخواهم");
    expect(visible("שָׁלוֹם")).toBe("שָׁלוֹם");
  });

  it.each([
    ["שלום!", "rtl"],
    ["(مرحبا)", "rtl"],
    ["…3 ק", "rtl"],
    ["日本語", "ltr"],
    ["abc שלום", "ltr"],
    ["12 ·", "ltr"],
  ])("the label %j is drawn %s", (label, direction) => {
    expect(directionOf(label)).toBe(direction);
  });

  it("a right-to-left token inside words is isolated, and other tokens are as they are", () => {
    expect(inText("cat")).toBe("cat");
    expect(inText("日本語")).toBe("日本語");
    expect(inText("שלום")).toBe("\u2068שלום\u2069");
    // A token cannot end its own isolation.
    expect(inText("ש\u2069\u202eabc")).toBe("\u2068ש··abc\u2069");
  });

  it("are cut between characters that a reader sees, and say so", () => {
    const family = "👩\u200d👧";
    const m = (text: string) => [...new Intl.Segmenter().segment(text)].length;
    expect(shorten("abc", 3, m)).toBe("abc");
    expect(shorten("abcdef", 4, m)).toBe("abc…");
    expect(shorten(family.repeat(5), 3, m)).toBe(`${family}${family}…`);
    expect(shorten("e\u0301".repeat(9), 2, m)).toBe("e\u0301…");
    // Long tokens are cut before they are measured, also between characters: 5 units each here.
    const whole = shorten(`x${family.repeat(200)}`, 90, m);
    expect(whole.slice(1, -1).replaceAll(family, "")).toBe("");
  });
});

describe("geometry", () => {
  const cases = [
    [700, 6, 6],
    [700, 3, 9],
    [700, 9, 3],
    [320, 6, 6],
    [560, 60, 60],
    [640, 512, 512],
    [400, 200, 7],
  ] as const;

  it.each(cases)("a map of %i px, %i queries and %i keys stays in its column", (width, nQ, nK) => {
    const g = layout(width, words(nQ), words(nK), measure, 2, 1000);
    expect(g.width).toBeLessThanOrEqual(width);
    expect(g.cell).toBeGreaterThan(0);
    expect(g.left + nK * g.cell).toBeLessThan(g.bar.x);
    expect(g.top + nQ * g.cell).toBeLessThanOrEqual(g.height);
  });

  it.each([
    [768, 6, 61],
    [720, 6, 56],
    [1080, 6, 76],
    [720, 12, 48],
  ])("a screen %i px high gives %i queries at most %i px each", (height, n, cell) => {
    const g = layout(700, words(n), words(n), measure, 1, height);
    expect(g.cell).toBeLessThanOrEqual(cell);
    // The room in the width is used, where the height does not limit the cells.
    if (n === 12) expect(g.left + n * g.cell + 88).toBeGreaterThan(660);
    else expect(g.cell).toBeGreaterThan(cell - 2);
  });

  it.each(cases)("labels never touch at %i px, %i queries, %i keys", (width, nQ, nK) => {
    const g = layout(width, words(nQ, 12), words(nK, 12), measure, 1, 1000);
    expect(g.step * g.cell).toBeGreaterThanOrEqual(g.font);
    const m = measure(g.font);
    // Labels beside each other are a cell apart, or a cell times √½ where they stand at 45°.
    const apart = { 0: Number.NaN, 45: g.step * g.cell * Math.SQRT1_2, 90: g.step * g.cell };
    g.keys.forEach((label, k) => {
      if (g.keyLabels[k] === "upright") {
        expect(m(label)).toBeLessThan(g.cell);
        return;
      }
      expect(apart[g.turn]).toBeGreaterThanOrEqual(g.font);
      expect(m(label) * Math.sin((g.turn * Math.PI) / 180)).toBeLessThan(g.top - 22);
    });
    for (const label of g.queries) expect(m(label)).toBeLessThanOrEqual(g.left - 22);
  });

  it("turns only the labels that do not fit, and no single character", () => {
    const tokens = ["a", "the", "internationalisation", ",", "cat"];
    const wide = layout(700, tokens, tokens, measure, 1, 1000);
    expect(wide.turn).toBe(45);
    expect(wide.keyLabels).toEqual(["upright", "upright", "turned", "upright", "upright"]);
    const letters = [..."the quick brown fox jumps over the lazy dog"];
    expect(layout(700, letters, letters, measure, 1, 1000).turn).toBe(0);
    const many = [...letters.slice(0, 34), "internationalisation"];
    const small = layout(700, many, many, measure, 1, 1000);
    expect(small.turn).toBe(90);
    expect(new Set(small.keyLabels.slice(0, -1))).not.toContain("turned");
    expect(small.keyLabels.at(-1)).toBe("turned");
  });

  it("finds the column of a label at 45° at both ends of the label", () => {
    const g = layout(700, words(20, 12), words(20, 12), measure, 1, 1000);
    expect(g.turn).toBe(45);
    for (const up of [4, 40, 60]) {
      const x = g.left + 3.5 * g.cell + (up > g.font ? up : 0);
      expect(hit(g, x, g.top - 6 - up)).toEqual({ kind: "column", key: 3 });
    }
  });

  it("finds every cell under its middle, and the labels beside", () => {
    const g = layout(600, words(4), words(7), measure, 1, 1000);
    for (let query = 0; query < 4; query++) {
      for (let key = 0; key < 7; key++) {
        const at = [g.left + (key + 0.5) * g.cell, g.top + (query + 0.5) * g.cell] as const;
        expect(hit(g, ...at)).toEqual({ kind: "cell", query, key });
      }
    }
    expect(hit(g, g.left - 12, g.top + 2.5 * g.cell)).toEqual({ kind: "row", query: 2 });
    expect(hit(g, g.left + 5.5 * g.cell, g.top - 10)).toEqual({ kind: "column", key: 5 });
    expect(hit(g, g.left - 5, g.top - 5)).toBeNull();
    expect(nearest(g, 9999, -5)).toEqual([0, 6]);
  });

  it("leaves no gap in a fast drag", () => {
    expect(line([0, 0], [0, 3])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
    ]);
    expect(line([2, 1], [0, 5]).length).toBe(5);
    expect(line([4, 4], [4, 4])).toEqual([[4, 4]]);
  });
});

describe("keyboard", () => {
  const key = (name: string, ctrlKey = false) => ({ key: name, ctrlKey, metaKey: false });
  it("moves within the map", () => {
    expect(step(key("ArrowDown"), [2, 3], 3, 5)).toEqual([2, 3]);
    expect(step(key("ArrowLeft"), [1, 3], 3, 5)).toEqual([1, 2]);
    expect(step(key("End"), [1, 0], 3, 5)).toEqual([1, 4]);
    expect(step(key("End", true), [1, 0], 3, 5)).toEqual([2, 4]);
    expect(step(key("ArrowUp", true), [2, 1], 3, 5)).toEqual([0, 1]);
    expect(step(key("PageDown"), [0, 1], 30, 5)).toEqual([10, 1]);
    expect(step(key("x"), [0, 0], 3, 5)).toBeNull();
  });
});
