/** Knock-outs on the page: what a click adds or takes back, what shows before Python answers, and the words. */
import { describe, expect, it } from "vitest";
import {
  changeWords,
  knockOutsCode,
  recordWords,
  runWords,
  secondsWords,
} from "../../js/explain/knock-outs";
import {
  type Aim,
  changed,
  FIRST_AIM,
  reachOf,
  recordOfCell,
  recordsAt,
  toggled,
} from "../../js/state/knockouts";
import type { CommandsMessage, KnockOutRecord, RunState } from "../../js/wire/schema";
import { changeOf, pack } from "./model";
import { opened } from "./opened";

const PLACE = { stack: "cross 2×3", layer: 4, head: 1 };
const record = (more: Partial<KnockOutRecord> = {}): KnockOutRecord => ({
  ...{ stack: "cross", layer: 4, head: 1, query: 0, key: 2, kind: "remove" },
  ...more,
});
const aim = (more: Partial<Aim>): Aim => ({ ...FIRST_AIM, ...more });
const IDLE: RunState = { state: "idle", words: "", seconds: null, partial: false };
const LAYERS = [{ index: 0, module: "a", stack: "cross", n_heads: 1, n_kv_heads: 1, proved: true }];
const model = (more: object = {}) => opened({ run_state: IDLE, layers: LAYERS, ...more });
const commands = ({ sent }: ReturnType<typeof opened>) =>
  (sent.at(-1)!._commands as CommandsMessage).commands;

describe("a click", () => {
  it("has a record for each scope; a band has a record for each layer", () => {
    const at = (more: Partial<Aim>) => recordsAt(aim(more), PLACE, [0, 2]);
    expect(at({})).toEqual([record()]);
    expect(at({ where: "key", kind: "mean" })).toEqual([record({ query: null, kind: "mean" })]);
    expect(at({ where: "query" })).toEqual([record({ key: null })]);
    expect(at({ where: "all", within: "layer" })).toEqual([
      record({ query: null, key: null, head: null }),
    ]);
    expect(at({ within: "layers" })).toEqual([record({ layer: null, head: null })]);
    expect(at({ within: "band", band: [6, 5] })).toEqual([
      record({ layer: 5, head: null }),
      record({ layer: 6, head: null }),
    ]);
  });

  it("on a label has the row or the column, whatever a click on a cell has", () => {
    expect(recordsAt(aim({ where: "all" }), PLACE, [null, 2])).toEqual([record({ query: null })]);
    expect(recordsAt(aim({}), PLACE, [1, null])).toEqual([record({ query: 1, key: null })]);
  });

  it("puts back what is out, also as a part of a larger knock-out", () => {
    const column = record({ query: null });
    expect(toggled([column], [record()])).toEqual({ add: [], remove: [column] });
    expect(toggled([], [record()])).toEqual({ add: [record()], remove: [] });
  });

  it("takes the place of what lies inside, and of another kind at the same place", () => {
    const column = record({ query: null });
    expect(toggled([record()], [column])).toEqual({ add: [column], remove: [record()] });
    const zero = record({ kind: "zero" });
    expect(toggled([zero], [record()])).toEqual({ add: [record()], remove: [zero] });
  });

  it("done twice is done once", () => {
    const change = { add: [record(), record()], remove: [] };
    expect(changed(changed([], change), change)).toEqual([record()]);
  });

  it("finds the knock-out of a cell in its own stack, layer and head alone", () => {
    const row = record({ key: null });
    expect(recordOfCell([row], PLACE, 0, 1)).toBe(row);
    expect(recordOfCell([row], PLACE, 1, 1)).toBeUndefined();
    expect(recordOfCell([row], { ...PLACE, head: 0 }, 0, 1)).toBeUndefined();
    expect(recordOfCell([row], { ...PLACE, stack: "self" }, 0, 1)).toBeUndefined();
  });
});

describe("the store", () => {
  it("shows a click before Python answers, and what Python says after", async () => {
    const page = model();
    page.store.knockOut([[1, 0]], true, 7);
    const own = record({ layer: 0, head: 0, query: 1, key: 0 });
    expect(page.store.get("knockouts")).toEqual([own]);
    expect(page.store.running).toBe(true);
    expect(commands(page)).toMatchObject([{ do: "knock_out", stroke: 7, add: [own], remove: [] }]);
    const other = record({ layer: 0, head: 0, query: 0, key: 0 });
    await page.receive({
      _change: { ...changeOf({ [page.client()]: 1 }, "page", [], []), from: 1, revision: 2 },
      ...{ knockouts: [other], run_state: { ...IDLE, state: "running" }, revision: 2 },
    });
    expect(page.store.get("knockouts")).toEqual([other]);
    expect(page.store.pending).toBe(0);
  });

  it("sends with a knock-out where the effect is read, if the click says so", () => {
    const page = model();
    page.store.knockOut([[1, 0]], true, 1, 1);
    page.store.knockOut([[1, 0]], false, 2);
    const [out, back] = commands(page);
    expect(out).toMatchObject({ do: "knock_out", position: 1 });
    expect(back).not.toHaveProperty("position");
  });

  it("ends two quick clicks in the last state", () => {
    const page = model();
    page.store.knockOut([[1, 0]], true, 1);
    page.store.knockOut([[1, 0]], false, 2);
    expect(page.store.get("knockouts")).toEqual([]);
    expect(commands(page).map((command) => command.do)).toEqual(["knock_out", "knock_out"]);
  });

  it("takes back what Python refuses", async () => {
    const page = model();
    page.store.knockOut([[1, 0]], true, 1);
    const client = page.client();
    const change = changeOf({ [client]: 1 }, client, [], []);
    await page.receive({
      _change: { ...change, from: 1, revision: 1, refused: { [client]: { 1: "another model" } } },
    });
    expect(page.store.get("knockouts")).toEqual([]);
    expect(page.store.refusal).toBe("another model");
  });

  it("clears the mask and the knock-outs in one step", () => {
    const page = model({ knockouts: [record()] });
    expect(page.store.canClear).toBe(true);
    page.mask([1, 2]);
    page.store.clear();
    const [paint, knockOut] = commands(page).slice(-2);
    expect(paint).toMatchObject({ do: "paint", off: [5, 1] });
    expect(knockOut).toMatchObject({ do: "knock_out", add: [], remove: [record()] });
    expect((paint as { stroke: number }).stroke).toBe((knockOut as { stroke: number }).stroke);
    expect(page.store.canClear).toBe(false);
  });

  it("masks the map where no model can run, where words are rows, and by choice", () => {
    expect(opened().store.knocks).toBe(false);
    expect(model({ merge: "words" }).store.knocks).toBe(false);
    expect(model({ run_state: { ...IDLE, state: "unable" } }).store.knocks).toBe(false);
    const { store } = model();
    expect(store.knocks).toBe(true);
    store.setAim({ whatIf: true });
    expect(store.knocks).toBe(false);
  });

  it("asks for both maps, and shows the difference", async () => {
    const page = model({ run_state: { ...IDLE, state: "done" }, knockouts: [record()] });
    page.store.showRunDifference(true);
    const maps = { before: [[0.5, 0.5, 0], [0, 0, 1]], after: [[1, 0, 0], [0, 0, 1]] }; // biome-ignore format: two maps
    expect(page.asked.map((asked) => (asked as { run: string }).run)).toEqual(["before", "after"]);
    for (const asked of page.asked as { id: string; run: "before" | "after" }[]) {
      const content = { id: asked.id, shown: [0, 0, "cross"], shape: [2, 3] };
      page.fake.reply(content, [pack(maps[asked.run]).data as DataView]);
    }
    await new Promise((resolve) => setTimeout(resolve));
    expect([...page.store.runDifference!.data]).toEqual([0.5, -0.5, 0, 0, 0, 0]);
  });
});

describe("the words", () => {
  it("are the line that Python writes", () => {
    // tests/browser/test_knockouts_in_lab.py compares the line with `w.knockouts_code()`.
    const records = [
      record({ stack: null, layer: 1, head: 0, query: 11, key: 4 }),
      record({ layer: null, head: null, query: null, kind: "mean" }),
    ];
    expect(knockOutsCode(records)).toBe(
      "w.knockouts = [{'layer': 1, 'head': 0, 'query': 11, 'key': 4}, {'stack': 'cross', 'key': 2, 'kind': 'mean'}]",
    );
    expect(knockOutsCode([])).toBe("w.knockouts = []");
  });

  it("name tokens and place", () => {
    const tokens = { queries: ["a", "b"], keys: ["x", "y", "z"] };
    expect(recordWords(record(), tokens, true)).toBe("“a” → “z” (0→2), layer 4, head 1");
    expect(recordWords(record({ query: null, head: null }), tokens, false)).toBe(
      "key “z” (2), cross, every head of layer 4",
    );
    expect(recordWords(record({ key: null, layer: null }), null, true)).toBe(
      "query 0, head 1 of every layer",
    );
  });

  it("say what a click does", () => {
    const words = (more: Partial<Aim>, now: KnockOutRecord[] = []) =>
      changeWords(toggled(now, recordsAt(aim(more), PLACE, [0, 2])), aim(more));
    expect(words({})).toBe(
      "A click takes this edge out of layer 4, head 1, and the model runs again.",
    );
    expect(words({ where: "key", within: "band", band: [2, 5], kind: "zero" })).toBe(
      "A click sets the weight of every edge to this key to 0 in layers 2–5, and the model runs again.",
    );
    expect(words({}, [record()])).toBe("A click puts what is knocked out here back.");
  });

  it("have a time of two digits", () => {
    expect([0.0301, 0.123, 2.5].map(secondsWords)).toEqual(["30 ms", "120 ms", "2.50 s"]);
    const done: RunState = {
      state: "done",
      words: "From layer 3 on.",
      seconds: 0.012,
      partial: true,
    };
    expect(runWords(done)).toBe("12 ms. From layer 3 on.");
  });

  it("say where the knock-outs reach", () => {
    const reach = [
      { stack: "cross", layer: 2, query: 3 },
      { stack: "cross", layer: 4, query: null },
    ];
    expect([1, 2, 4].map((layer) => reachOf({ reach }, "cross 2×3", layer))).toEqual([
      ...["nowhere", 3, "all"],
    ]);
    expect(reachOf({ reach }, "self", 4)).toBe("nowhere");
  });
});
