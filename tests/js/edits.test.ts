/** This page's edits of the mask, from the click to Python's answer. */
import { describe, expect, it } from "vitest";
import { expectClose, expectMasked, opened } from "./edited";
import { arraysOf, pack, patchOf, V, weightsOf } from "./model";

describe("an edit of the mask", () => {
  it("is shown before Python answers, and sent as runs of cells", () => {
    const page = opened();
    page.mask([1, 0], [1, 1]);
    expectMasked(page, [
      [1, 0],
      [1, 1],
    ]);
    expect(page.store.pending).toBe(1);
    expect(page.fake.ops).toEqual([{ seq: 1, stroke: 1, on: [3, 2], off: [], shape: [2, 3] }]);
  });

  it("is no longer pending when Python has answered, and Python's numbers replace the page's", async () => {
    const page = opened();
    page.mask([0, 2]);
    const patch = patchOf({ [page.client()]: 1 }, page.client(), [0], [[0, 2]]);
    // Python computes in other precision: its last digits count.
    patch.attention = pack([[0.3335, 0.6665, 0]]);
    await page.receive({ _patch: patch });
    expect(page.store.pending).toBe(0);
    expectClose(page.store.attention.data, [0.3335, 0.6665, 0, ...weightsOf()[1]!]);
  });

  it("stays on top while only an earlier edit of the same row is answered", async () => {
    const page = opened();
    page.mask([1, 0]);
    page.mask([1, 2]);
    const patch = patchOf({ [page.client()]: 1 }, page.client(), [1], [[1, 0]]);
    await page.receive({ _patch: patch });
    expectMasked(page, [
      [1, 0],
      [1, 2],
    ]);
    expect(page.store.pending).toBe(1);
  });

  it("goes on top again when whole arrays come that do not have it yet", async () => {
    const page = opened();
    page.mask([0, 1]);
    await page.receive(arraysOf([[1, 2]]));
    expectMasked(page, [
      [0, 1],
      [1, 2],
    ]);
    expect(page.store.pending).toBe(1);
  });

  it("of a map of another shape is dropped and not sent again", async () => {
    const page = opened();
    page.mask([0, 1]);
    const square = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
    const none = square.map(() => [0, 0, 0]);
    await page.receive({
      ...{ tokens: ["a", "b", "c"], Q: pack([[1], [2], [3]]), scores: pack(none) },
      ...{ mask: pack(none, "uint8"), attention: pack(square), output: pack(V) },
    });
    expect(page.store.pending).toBe(0);
    expect([...page.store.mask]).toEqual(none.flat());
    page.mask([2, 2]);
    expect(page.fake.ops).toEqual([{ seq: 2, stroke: 2, on: [8, 1], off: [], shape: [3, 3] }]);
  });

  it("leaves locked cells and cells that are so already alone", () => {
    const locked = pack(
      [
        [0, 0, 1],
        [0, 0, 0],
      ],
      "uint8",
    );
    const page = opened({ locked, ...arraysOf([[0, 0]]) });
    page.mask([0, 0], [0, 2]);
    expect(page.sent).toEqual([]);
    expect(page.store.pending).toBe(0);
  });
});

describe("answers that are lost, late or doubled", () => {
  it("every message has all edits that have no answer yet", () => {
    const page = opened();
    page.mask([0, 0]);
    page.mask([0, 1]);
    page.mask([1, 1]);
    expect(page.fake.ops.map(({ seq, on }) => [seq, on])).toEqual([
      [1, [0, 1]],
      [2, [1, 1]],
      [3, [4, 1]],
    ]);
  });

  it("an answer that comes twice and late takes nothing back", async () => {
    const page = opened();
    page.mask([0, 0]);
    const patch = patchOf({ [page.client()]: 1 }, page.client(), [0], [[0, 0]]);
    await page.receive({ _patch: patch });
    page.mask([0, 1]);
    await page.receive({ _patch: { ...patch } });
    expectMasked(page, [
      [0, 0],
      [0, 1],
    ]);
    expect(page.store.pending).toBe(1);
  });

  it("rows of a map of another shape change nothing, and what they answer is answered", async () => {
    const page = opened();
    page.mask([0, 0]);
    const patch = patchOf({ [page.client()]: 1 }, page.client(), [0], []);
    const stale = { ...patch, mask: pack([[1, 1, 1, 1]], "uint8") };
    await page.receive({ _patch: stale });
    expectMasked(page, [[0, 0]]);
    expect(page.store.pending).toBe(0);
  });

  it("after a restart Python knows none of the edits: they stay on top and are sent again", async () => {
    const page = opened();
    page.mask([0, 0]);
    page.mask([1, 2]);
    await page.receive({ ...arraysOf(), revision: 1, _patch: patchOf({}, "python", [], []) });
    expectMasked(page, [
      [0, 0],
      [1, 2],
    ]);
    page.mask([1, 1]);
    expect(page.fake.ops.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });
});

describe("two pages", () => {
  it("the other page's edit comes in under this page's own, which waits for its answer", async () => {
    const page = opened();
    page.mask([1, 0]);
    await page.receive({
      _patch: patchOf(
        { other: 4 },
        "other",
        [0, 1],
        [
          [0, 2],
          [1, 1],
        ],
      ),
    });
    expectMasked(page, [
      [0, 2],
      [1, 0],
      [1, 1],
    ]);
    expect(page.store.pending).toBe(1);
  });

  it("after another page's edit this page leaves undo to Python", async () => {
    const page = opened();
    page.mask([0, 1]);
    expect(page.store.canUndo).toBe(true);
    await page.receive({
      _patch: patchOf(
        { [page.client()]: 1 },
        "other",
        [1],
        [
          [0, 1],
          [1, 1],
        ],
      ),
    });
    expect(page.store.canUndo).toBe(false); // `history` of Python's says when it is
    await page.receive({ history: [2, 0] });
    page.store.undo();
    expectMasked(page, [
      [0, 1],
      [1, 1],
    ]);
    expect(page.fake.ops).toMatchObject([{ seq: 2, on: [], off: [], move: "undo" }]);
  });

  it("its own edit can be taken back in the same frame, by the page itself", async () => {
    const page = opened();
    page.mask([0, 1]);
    await page.receive({ _patch: patchOf({ [page.client()]: 1 }, page.client(), [0], [[0, 1]]) });
    page.store.undo();
    expectMasked(page, []);
    expect(page.fake.ops).toMatchObject([{ seq: 2, on: [], off: [1, 1], move: "undo" }]);
    page.store.redo();
    expectMasked(page, [[0, 1]]);
    expect(page.fake.ops).toMatchObject([{ move: "undo" }, { seq: 3, on: [1, 1], move: "redo" }]);
  });
});
