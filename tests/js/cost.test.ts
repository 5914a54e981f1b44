/** What is computed when: the row that is read, once until it changes. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { createRowCache } from "../../js/state/row-cache";
import { createStore } from "../../js/state/store";
import type { Quantity } from "../../js/wire/schema";
import { openCard } from "./card";
import { arraysOf, fakeModel, pack, unending } from "./model";

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a map that is kept by rows", () => {
  const filled: number[] = [];
  const fill = (row: number, out: Float32Array, start: number) => {
    filled.push(row);
    out.fill(row + 1, start, start + 2);
  };
  const read = (cache: ReturnType<typeof createRowCache>, row?: number, head = 0) => {
    filled.length = 0;
    const { data } = cache.read(3, 2, head, fill, row);
    return { filled: [...filled], data: [...data] };
  };

  it("computes the row that is read, and then the others", () => {
    const cache = createRowCache();
    expect(read(cache, 1)).toEqual({ filled: [1], data: [0, 0, 2, 2, 0, 0] });
    expect(read(cache, 1).filled).toEqual([]);
    expect(read(cache)).toEqual({ filled: [0, 2], data: [1, 1, 2, 2, 3, 3] });
  });

  it("computes again what has changed, and all of another head", () => {
    const cache = createRowCache();
    read(cache);
    cache.forget(new Set([2]));
    expect(read(cache).filled).toEqual([2]);
    cache.forget(null);
    expect(read(cache, 0).filled).toEqual([0]);
    expect(read(cache, undefined, 1).filled).toEqual([0, 1, 2]);
  });
});

describe("the pointer over a map", () => {
  const [nQ, nK] = [24, 30];
  const table = (rows: number, cols: number, value: (r: number, c: number) => number) =>
    pack(
      Array.from({ length: rows }, (_, r) => Array.from({ length: cols }, (_, c) => value(r, c))),
    );
  const names = (n: number) => Array.from({ length: n }, (_, i) => `t${i}`);
  const traits = {
    ...{ tokens: names(nQ), key_tokens: names(nK) },
    Q: table(nQ, 1, () => 0),
    K: table(nK, 1, () => 0),
    V: table(nK, 2, (k, c) => (c ? 4 : 3) * k),
    scores: table(nQ, nK, () => 0),
    mask: pack(
      Array.from({ length: nQ }, () => Array<number>(nK).fill(0)),
      "uint8",
    ),
    attention: table(nQ, nK, () => 1 / nK),
    output: table(nQ, 2, (_, c) => ((c ? 4 : 3) * (nK - 1)) / 2),
    output_norms: { ...table(1, nK, (_, k) => 2 * k), shape: [nK] },
  };
  /** Of the key 20: 100 long, 40 long after W_O; masked, the output (43.5, 58) moves by 1/29 of the rest. */
  const WANTED: [Quantity, number][] = [
    ["value-norm", 100 / nK],
    ["output-norm", 40 / nK],
    ["output-shift", (100 - 72.5) / (nK - 1)],
  ];

  it.each(WANTED)("reads %s without making the map anew", (quantity, value) => {
    const card = openCard({ ...traits, quantity });
    card.page.frame();
    const lengths: number[] = [];
    const Own = Float32Array;
    const Counted = (...of: [number]) => {
      const made = new Own(...of);
      lengths.push(made.length);
      return made;
    };
    vi.stubGlobal("Float32Array", Counted);
    const { left, top, cell } = card.$(".aw-map").dataset;
    for (const query of [3, 4, 4, 5]) {
      card.$(".aw-over").fire("pointermove", {
        clientX: Number(left) + 20.5 * Number(cell),
        clientY: Number(top) + (query + 0.5) * Number(cell),
      });
    }
    expect(card.$(".aw-map").dataset.hover).toBe("5,20");
    expect(Number(card.$(".aw-map").dataset.value)).toBeCloseTo(value, 3);
    expect(lengths.filter((length) => length >= nQ * nK)).toEqual([]);
  });
});

describe("what follows from the arrays", () => {
  it("is kept while only words change, and made anew after a click", async () => {
    const fake = fakeModel();
    const store = createStore(fake.model, unending);
    const [row, all] = [vi.fn(), vi.fn(() => 1)];
    const read = () => [store.derived("d", row), store.once("o", all)];
    read();
    expect([row.mock.calls.length, all.mock.calls.length]).toEqual([2, 1]);
    await fake.receive({ title: "another", selection: [1, 1], notice: "words" });
    read();
    expect([row.mock.calls.length, all.mock.calls.length]).toEqual([2, 1]);
    store.paint([4], true, store.stroke());
    read();
    expect([row.mock.calls.length, all.mock.calls.length]).toEqual([3, 2]);
    await fake.receive(arraysOf([[0, 2]]));
    read();
    expect([row.mock.calls.length, all.mock.calls.length]).toEqual([5, 3]);
  });

  it("the mask can be cleared where a cell is masked that is not locked", async () => {
    const locked = pack(
      [
        [0, 1, 0],
        [0, 0, 0],
      ],
      "uint8",
    );
    const fake = fakeModel({ locked, ...arraysOf([[0, 1]]) });
    const store = createStore(fake.model, unending);
    expect(store.canClear).toBe(false);
    store.paint([5], true, store.stroke());
    expect(store.canClear).toBe(true);
    store.clear();
    expect(store.canClear).toBe(false);
    await fake.receive(
      arraysOf([
        [0, 1],
        [1, 0],
      ]),
    );
    expect(store.canClear).toBe(true);
  });
});
