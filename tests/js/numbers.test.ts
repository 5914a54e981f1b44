/** Numbers, settings and presets that this page sets, from the hand to Python's answer. */
import { describe, expect, it } from "vitest";
import { expectClose, expectMasked, opened } from "./edited";
import { arraysOf, pack, patchOf, weightsOf } from "./model";

describe("a number that is dragged", () => {
  // The first query's only number becomes 0: all scores 0, all weights a third.
  const even = [1 / 3, 1 / 3, 1 / 3];

  it("is followed by all that it changes, and nothing is sent", () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0.5);
    page.store.draft("Q", 0, 0, 0);
    expect(page.store.drafting).toBe(true);
    expectClose(page.store.attention.data, [...even, ...weightsOf()[1]!]);
    expect(page.store.isByHand("Q", 0, 0)).toBe(true);
    expect(page.sent).toEqual([]);
  });

  it("is sent when it is let go, and undone as one step", () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0.5);
    page.store.draft("Q", 0, 0, 0);
    page.store.settle();
    expect(page.store.drafting).toBe(false);
    const cell = { name: "Q", at: [0, 0], value: 0, shape: [2, 1], shown: [0, 0, "cross"] };
    expect(page.fake.ops).toMatchObject([{ seq: 1, on: [], off: [], cell }]);
    page.store.undo();
    expectMasked(page, []);
    expect(page.store.isByHand("Q", 0, 0)).toBe(false);
  });

  it("goes back to what it was when the drag is broken off", () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0);
    page.store.abandon();
    expect(page.store.drafting).toBe(false);
    expectMasked(page, []);
    expectClose(page.store.matrix("Q")!.data, [1, 2]);
    expect(page.store.anyByHand).toBe(false);
    expect(page.sent).toEqual([]);
  });

  it("stays under the hand while whole arrays come", async () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0);
    await page.receive({ Q: pack([[1], [1]]), ...arraysOf() });
    expectClose(page.store.matrix("Q")!.data, [0, 1]);
    expectClose(page.store.attention.data, [...even, ...weightsOf()[0]!]);
  });

  it("of one head is not written into another head's numbers, which look the same", async () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0);
    page.store.settle();
    await page.receive({ Q: pack([[1], [2]]), shown: [0, 1, "cross"], head: 1, ...arraysOf() });
    expectMasked(page, []);
    expectClose(page.store.matrix("Q")!.data, [1, 2]);
    expect(page.store.isByHand("Q", 0, 0)).toBe(false);
  });

  it("is marked by Python's marks once they are here", async () => {
    const page = opened();
    page.store.draft("K", 2, 0, 4);
    page.store.settle();
    expect(page.store.isByHand("K", 2, 0)).toBe(true);
    await page.receive({ overridden: { Q: [1, 1] } });
    expect(page.store.isByHand("K", 2, 0)).toBe(false);
    expect([0, 1].map((q) => page.store.isByHand("Q", q, 0))).toEqual([false, true]);
  });
});

describe("settings and presets", () => {
  it("the newest value of a setting is the only one that is waited for", async () => {
    const page = opened();
    page.store.ask("seed", 3);
    page.store.ask("seed", 7);
    expect(page.fake.ops).toMatchObject([{ seq: 2, setting: { name: "seed", value: 7 } }]);
    expect(page.store.asking).toBe(true);
    await page.receive({ seed: 7, _patch: patchOf({ [page.client()]: 2 }, page.client(), [], []) });
    expect(page.store.asking).toBe(false);
  });

  it("a temperature is computed with at once, whatever an older answer says", async () => {
    const page = opened();
    page.store.ask("temperature", 0);
    const argmax = [0, 0, 1, 0, 0, 1];
    expectClose(page.store.attention.data, argmax);
    await page.receive({ temperature: 1, ...arraysOf() });
    expectClose(page.store.attention.data, argmax);
    expect(page.store.get("temperature")).toBe(0);
  });

  it("presets are shown as they were set until Python has answered", async () => {
    const page = opened();
    page.store.setPresets({ causal: true });
    expectMasked(page, [
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    expect(page.fake.ops).toMatchObject([{ on: [1, 2, 5, 1], presets: { causal: true } }]);
    await page.receive({ presets: {} });
    expect(page.store.presets).toEqual({ causal: true });
    const patch = patchOf({ [page.client()]: 1 }, page.client(), [], []);
    await page.receive({ presets: { causal: true }, _patch: patch });
    expect(page.store.presets).toEqual({ causal: true });
    expect(page.store.pending).toBe(0);
    await page.receive({ presets: { window: 1 } });
    expect(page.store.presets).toEqual({ window: 1 });
  });
});
