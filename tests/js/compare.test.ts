import type { AnyModel } from "@anywidget/types";
import { describe, expect, it } from "vitest";
import { type ComparisonTraits, createComparisonStore, type Pair } from "../../js/state/comparison";
import { blocks } from "../../js/views/compare/blocks";
import { change, describe as inWords } from "../../js/views/compare/words";
import type { Packed } from "../../js/wire/schema";

const packed = (values: number[], dtype: "float32" | "uint8" = "float32"): Packed => ({
  data: new DataView(
    (dtype === "uint8" ? Uint8Array.from(values) : Float32Array.from(values)).buffer,
  ),
  dtype,
  shape: [2, 3],
});

// Queries "the" in both and "cat" of A alone; keys: "the" in both, "cat" of A, "dog" of B.
const ROWS: Pair[] = [
  [0, 0, "the"],
  [1, null, "cat"],
];
const COLUMNS: Pair[] = [
  [0, 0, "the"],
  [1, null, "cat"],
  [null, 1, "dog"],
];
const A = [0.75, 0.25, Number.NaN, 0, 1, Number.NaN];
const B = [0.5, Number.NaN, 0.5, Number.NaN, Number.NaN, Number.NaN];

function opened(more: Partial<ComparisonTraits> = {}, host: { comm_live?: boolean } = {}) {
  const traits: Record<string, unknown> = {
    ...{
      rows: ROWS,
      columns: COLUMNS,
      stack: "self",
      layer: 0,
      head: 0,
      revision: 1,
      shown: ["self", 0, 0],
    },
    ...{ a: packed(A), b: packed(B) },
    ...{
      masked_a: packed([0, 0, 0, 1, 0, 0], "uint8"),
      masked_b: packed(Array(6).fill(0), "uint8"),
    },
    ...more,
  };
  const handlers = new Map<string, Set<() => void>>();
  const sent: Record<string, unknown>[] = [];
  const messages: Record<string, unknown>[] = [];
  let waiting: Record<string, unknown> = {};
  const model = {
    ...host,
    get: (name: string) => traits[name],
    set(name: string, value: unknown) {
      traits[name] = waiting[name] = value;
    },
    send: (message: Record<string, unknown>) => messages.push(message),
    save_changes() {
      sent.push(waiting);
      waiting = {};
    },
    on(event: string, handler: () => void) {
      handlers.set(event, (handlers.get(event) ?? new Set()).add(handler));
    },
    off: (event: string, handler: () => void) => handlers.get(event)?.delete(handler),
  } as unknown as AnyModel<ComparisonTraits>;
  const life = new AbortController();
  /** One message of Python's: each trait is set and told of, one after the other. */
  const receive = (message: Partial<ComparisonTraits>) => {
    for (const [name, value] of Object.entries(message)) {
      traits[name] = value;
      for (const handler of handlers.get(`change:${name}`) ?? []) handler();
    }
  };
  return { store: createComparisonStore(model, life.signal), receive, sent, messages, life };
}

describe("a comparison's mirror", () => {
  it("tells Python whether a page displays it", () => {
    const { messages, life } = opened();
    const page = expect.any(String);
    expect(messages).toEqual([{ type: "displayed", page, on: true }]);
    life.abort();
    expect(messages[1]).toEqual({ ...messages[0], on: false });
  });

  it("has both maps and B − A, nothing where a side has no cell", () => {
    const { maps } = opened().store;
    expect([...maps.a]).toEqual(A);
    expect([...maps.b]).toEqual(B);
    expect([...maps.difference]).toEqual([-0.25, ...Array(5).fill(Number.NaN)]);
    expect([...(maps.masked[0] as Uint8Array)]).toEqual([0, 0, 0, 1, 0, 0]);
  });

  it("tells of a message once, when all of it is in", async () => {
    const { store, receive } = opened();
    const heard: number[] = [];
    store.subscribe(() => heard.push(store.maps.difference[0]));
    receive({ revision: 2, layer: 1, head: 2, b: packed([1, ...B.slice(1)]) });
    expect(heard).toEqual([]);
    await Promise.resolve();
    expect(heard).toEqual([0.25]);
    receive({ selection: [0, 0] });
    await Promise.resolve();
    expect(heard).toEqual([0.25, 0.25]);
  });

  it("hears nothing any more when the view is gone", async () => {
    const { store, receive, life } = opened();
    let heard = 0;
    store.subscribe(() => heard++);
    life.abort();
    receive({ revision: 2, selection: [0, 0], error: "no" });
    await Promise.resolve();
    expect(heard).toBe(0);
  });

  it("sends a choice by itself", () => {
    const { store, sent } = opened();
    store.set("layer", 3);
    store.set("selection", [1, 0]);
    expect(sent).toEqual([{ layer: 3 }, { selection: [1, 0] }]);
    expect(store.get("layer")).toBe(3);
  });

  it("waits for the maps of a choice under the name of those that are here", async () => {
    const { store, receive } = opened();
    store.set("layer", 3);
    expect([store.shown.layer, store.waitsFor]).toEqual([0, "waiting for Python"]);
    receive({ shown: ["self", 3, 0], revision: 2 });
    await Promise.resolve();
    expect([store.shown.layer, store.waitsFor]).toEqual([3, ""]);
  });

  it("does not take a choice where there is no Python, and says so", () => {
    const { store, sent } = opened({}, { comm_live: false });
    store.set("head", 2);
    expect(store.waitsFor).toBe("head 2 is not saved here: it needs a running kernel");
    store.set("selection", [1, 0]);
    expect([store.waitsFor, store.get("selection"), sent]).toEqual(["", [1, 0], []]);
  });
});

describe("a comparison in words", () => {
  it("says both weights and what changed", () => {
    const { store } = opened();
    expect(inWords(store, [0, 0])).toBe("the → the: A 0.75, B 0.50, B − A −0.25");
    expect(change(store, [0, 0])).toEqual(["the → the", "−0.25"]);
    const other = opened({ b: packed([1, ...B.slice(1)]) }).store;
    expect(inWords(other, [0, 0])).toBe("the → the: A 0.75, B 1.00, B − A +0.25");
    const same = opened({ b: packed([0.75, ...B.slice(1)]) }).store;
    expect(change(same, [0, 0])).toEqual(["the → the", "0.00"]);
  });

  it("says where a side has no such cell, and no difference then", () => {
    const { store } = opened();
    expect(inWords(store, [0, 1])).toBe("the → cat: A 0.25, B no such cell");
    expect(inWords(store, [0, 2])).toBe("the → dog: A no such cell, B 0.50");
    expect(inWords(store, [1, 2])).toBe("cat → dog: A no such cell, B no such cell");
    expect(change(store, [0, 1])).toEqual(["the → cat", ""]);
  });

  it("says what is masked", () => {
    expect(inWords(opened().store, [1, 0])).toBe("cat → the: A masked, B no such cell");
  });

  it("never rounds a change away, and shows tokens that would be blank", () => {
    const rows: Pair[] = [[0, 0, "\n"], ROWS[1] as Pair];
    const { store } = opened({
      rows,
      a: packed([0.5, 0, 0, 0, 0, 0]),
      b: packed([0.4999, 0, 0, 0, 0, 0]),
    });
    expect(change(store, [0, 0])).toEqual(["⏎ → the", "−1.00e−4"]);
  });
});

describe("where the three maps lie", () => {
  const sizes = [
    [1200, 9, 9, 60, 60],
    [900, 3, 14, 200, 20],
    [600, 14, 3, 40, 90],
    [599, 9, 9, 60, 60],
    [320, 30, 30, 90, 90],
    [1000, 256, 200, 80, 80],
    [700, 1, 1, 10, 10],
  ] as const;

  it.each(sizes)(
    "%i px, %i × %i tokens: inside the card, cells alike",
    (width, rows, cols, q, k) => {
      const three = blocks(width, rows, cols, q, k);
      expect(three).toHaveLength(3);
      const beside = width >= 600;
      const used = three.reduce((sum, b) => sum + b.width, 0) + 2 * 16;
      if (beside) expect(used).toBeLessThanOrEqual(width + 0.01);
      for (const b of three) {
        expect(b.width).toBeLessThanOrEqual(width + 0.01);
        expect([b.rows, b.cols]).toEqual([rows, cols]);
        expect([b.cw, b.ch]).toEqual([three[0].cw, three[0].cw]);
        expect(b.cw).toBeGreaterThan(0);
        expect(b.cw).toBeLessThanOrEqual(50);
        expect(b.left + b.cols * b.cw).toBeCloseTo(b.width, 6);
        expect(b.top + b.rows * b.ch).toBeCloseTo(b.height, 6);
        expect(Math.max(b.rows, b.cols) * b.cw).toBeLessThanOrEqual(560);
      }
    },
  );

  it("has whole pixels for a cell from 4 on", () => {
    expect(Number.isInteger(blocks(1203, 9, 11, 50, 50)[0].cw)).toBe(true);
    expect(blocks(1000, 256, 256, 50, 50)[0].cw).toBeLessThan(4);
  });

  it("labels rows at the first map alone where they lie beside each other, else at each", () => {
    const labelled = (width: number) => blocks(width, 5, 5, 40, 40).map((b) => b.rowLabels);
    expect(labelled(1000)).toEqual(["queries", null, null]);
    expect(labelled(400)).toEqual(["queries", "queries", "queries"]);
    const [first, second, third] = blocks(1000, 5, 5, 40, 40);
    expect(first!.left).toBeGreaterThan(40);
    // Room for half a letter: the first upright label stands over the cell's middle.
    expect(second!.left).toBe(8);
    expect(third!.left).toBe(8);
  });

  it("stands labels upright where they are wider than a cell, with room above", () => {
    const [flat] = blocks(1000, 3, 3, 30, 30);
    const [upright] = blocks(1000, 3, 3, 30, 80);
    expect([flat!.upright, upright!.upright]).toEqual([false, true]);
    expect(upright!.top - flat!.top).toBeGreaterThanOrEqual(60);
    // However long a label is, it takes no more than it is cut to.
    expect(blocks(1000, 3, 3, 30, 4000)[0].top).toBeLessThan(160);
    expect(blocks(1000, 3, 3, 4000, 30)[0].left).toBeLessThan(120);
    expect(blocks(400, 3, 3, 4000, 30)[0].left).toBeLessThan(400 / 3);
  });
});
