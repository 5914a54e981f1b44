/** This page's edits, from the click to Python's answer, on a model that records what is sent. */
import { describe, expect, it } from "vitest";
import { arraysOf, changeOf, pack, V, weightsOf } from "./model";
import { expectClose, expectMasked, opened } from "./opened";

describe("an edit of the mask", () => {
  it("is shown before Python answers, and sent as runs of cells", () => {
    const page = opened();
    page.mask([1, 0], [1, 1]);
    expectMasked(page, [
      [1, 0],
      [1, 1],
    ]);
    expect(page.store.pending).toBe(1);
    expect(page.fake.commands).toEqual([
      { seq: 1, do: "paint", stroke: 1, on: [3, 2], off: [], shape: [2, 3] },
    ]);
  });

  it("is not painted again when the page selects a cell before Python answers", () => {
    const page = opened();
    page.mask([1, 0]);
    const rows: number[] = [];
    page.store.subscribe((change) => rows.push(...change.rows), new AbortController().signal);
    page.store.set("selection", [1, 0]);
    expect(rows).toEqual([]);
    expectMasked(page, [[1, 0]]);
  });

  it("is no longer pending when Python has answered, and Python's numbers replace the page's", async () => {
    const page = opened();
    page.mask([0, 2]);
    const change = changeOf({ [page.client()]: 1 }, page.client(), [0], [[0, 2]]);
    // Python computes in other precision: its last digits count.
    change.attention = pack([[0.3335, 0.6665, 0]]);
    await page.receive({ _change: change });
    expect(page.store.pending).toBe(0);
    expectClose(page.store.attention.data, [0.3335, 0.6665, 0, ...weightsOf()[1]]);
  });

  it("stays on top while only an earlier edit of the same row is answered", async () => {
    const page = opened();
    page.mask([1, 0]);
    page.mask([1, 2]);
    const change = changeOf({ [page.client()]: 1 }, page.client(), [1], [[1, 0]]);
    await page.receive({ _change: change });
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
    expect(page.fake.commands).toEqual([
      { seq: 2, do: "paint", stroke: 2, on: [8, 1], off: [], shape: [3, 3] },
    ]);
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
    expect(page.fake.commands).toMatchObject([
      { seq: 1, on: [0, 1] },
      { seq: 2, on: [1, 1] },
      { seq: 3, on: [4, 1] },
    ]);
  });

  it("an answer that comes twice and late takes nothing back", async () => {
    const page = opened();
    page.mask([0, 0]);
    const change = changeOf({ [page.client()]: 1 }, page.client(), [0], [[0, 0]]);
    await page.receive({ _change: change });
    page.mask([0, 1]);
    await page.receive({ _change: { ...change } });
    expectMasked(page, [
      [0, 0],
      [0, 1],
    ]);
    expect(page.store.pending).toBe(1);
  });

  it("rows of a map of another shape change nothing, and what they answer is answered", async () => {
    const page = opened();
    page.mask([0, 0]);
    const change = changeOf({ [page.client()]: 1 }, page.client(), [0], []);
    const stale = { ...change, mask: pack([[1, 1, 1, 1]], "uint8") };
    await page.receive({ _change: stale });
    expectMasked(page, []);
    expect(page.store.pending).toBe(0);
  });

  it("after a restart Python knows none of the edits: they stay on top and are sent again", async () => {
    const page = opened();
    page.mask([0, 0]);
    page.mask([1, 2]);
    await page.receive({ ...arraysOf(), revision: 1, _change: changeOf({}, "python", [], []) });
    expectMasked(page, [
      [0, 0],
      [1, 2],
    ]);
    page.mask([1, 1]);
    expect(page.fake.commands.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });
});

describe("two pages", () => {
  it("the other page's edit comes in under this page's own, which waits for its answer", async () => {
    const page = opened();
    page.mask([1, 0]);
    await page.receive({
      _change: changeOf(
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
      _change: changeOf(
        { [page.client()]: 1 },
        "other",
        [0, 1],
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
    expect(page.fake.commands).toMatchObject([{ seq: 2, do: "undo", on: [], off: [] }]);
  });

  it("its own edit can be taken back in the same frame, by the page itself", async () => {
    const page = opened();
    page.mask([0, 1]);
    await page.receive({ _change: changeOf({ [page.client()]: 1 }, page.client(), [0], [[0, 1]]) });
    page.store.undo();
    expectMasked(page, []);
    expect(page.fake.commands).toMatchObject([{ seq: 2, do: "undo", on: [], off: [1, 1] }]);
    page.store.redo();
    expectMasked(page, [[0, 1]]);
    expect(page.fake.commands).toMatchObject([{ do: "undo" }, { seq: 3, do: "redo", on: [1, 1] }]);
  });
});

describe("settings and presets", () => {
  it("the newest value of a setting is the only one that is waited for", async () => {
    const page = opened();
    page.store.ask("seed", 3);
    page.store.ask("seed", 7);
    expect(page.fake.commands).toMatchObject([{ seq: 2, do: "set", name: "seed", value: 7 }]);
    expect(page.store.asking).toBe(true);
    await page.receive({
      seed: 7,
      _change: changeOf({ [page.client()]: 2 }, page.client(), [], []),
    });
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
    expect(page.fake.commands).toMatchObject([{ on: [1, 2, 5, 1], presets: { causal: true } }]);
    await page.receive({ presets: {} });
    expect(page.store.presets).toEqual({ causal: true });
    const change = changeOf({ [page.client()]: 1 }, page.client(), [], []);
    await page.receive({ presets: { causal: true }, _change: change });
    expect(page.store.presets).toEqual({ causal: true });
    expect(page.store.pending).toBe(0);
    await page.receive({ presets: { window: 1 } });
    expect(page.store.presets).toEqual({ window: 1 });
  });
});
