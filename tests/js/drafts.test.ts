/** A number that a hand drags, from the first value to Python's answer. */
import { describe, expect, it } from "vitest";
import { arraysOf, changeOf, pack, weightsOf } from "./model";
import { expectClose, expectMasked, opened } from "./opened";

describe("a number that is dragged", () => {
  // The first query's only number becomes 0: all scores 0, all weights a third.
  const even = [1 / 3, 1 / 3, 1 / 3];

  it("is followed by all that it changes, and nothing is sent", () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0.5);
    page.store.draft("Q", 0, 0, 0);
    expect(page.store.drafting).toBe(true);
    expectClose(page.store.attention.data, [...even, ...weightsOf()[1]]);
    expect(page.store.isByHand("Q", 0, 0)).toBe(true);
    expect(page.sent).toEqual([]);
  });

  it("is sent when it is let go, and undone as one step", () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0.5);
    page.store.draft("Q", 0, 0, 0);
    page.store.settle();
    expect(page.store.drafting).toBe(false);
    expect(page.fake.commands).toEqual([
      {
        ...{ seq: 1, do: "number", stroke: 2, name: "Q", at: [0, 0], value: 0 },
        ...{ shape: [2, 3], array_shape: [2, 1], shown: [0, 0, "cross"] },
      },
    ]);
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
    expectClose(page.store.attention.data, [...even, ...weightsOf()[0]]);
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
    const change = changeOf({ [page.client()]: 1 }, page.client(), [], []);
    await page.receive({ overridden: { Q: [1, 1] }, _change: change });
    expect(page.store.isByHand("K", 2, 0)).toBe(false);
    expect([0, 1].map((q) => page.store.isByHand("Q", q, 0))).toEqual([false, true]);
  });
});
