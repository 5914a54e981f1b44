/** What Python's answers do to the edits of a page: done, refused, or missed. */
import { describe, expect, it } from "vitest";
import { decode } from "../../js/wire/codec";
import type { ChangeMessage } from "../../js/wire/schema";
import { arraysOf, changeOf, pack, weightsOf } from "./model";
import { expectClose, expectMasked, type Opened, opened } from "./opened";

/** The answer to the page's edits up to `seq`, from revision 1 to 2. */
function answer(
  page: Opened,
  seq: number,
  masked: Parameters<typeof changeOf>[3],
  more: Partial<ChangeMessage> = {},
): ChangeMessage {
  const rows = [...new Set(masked.map(([q]) => q))];
  const change = changeOf({ [page.client()]: seq }, page.client(), rows, masked);
  return { ...change, from: 1, revision: 2, ...more };
}

const confirmed = ({ store }: Opened, name: "mask" | "attention" | "Q") => [
  ...decode(store.get(name)!),
];

describe("Python's arrays", () => {
  it("are not written by an edit, and by its answer with Python's own rows", async () => {
    const page = opened();
    page.mask([0, 1]);
    page.store.draft("Q", 1, 0, 0);
    expect(confirmed(page, "mask")).toEqual([0, 0, 0, 0, 0, 0]);
    expectClose(confirmed(page, "attention"), weightsOf().flat());
    expect(confirmed(page, "Q")).toEqual([1, 2]);
    page.store.abandon();
    await page.receive({ _change: answer(page, 1, [[0, 1]]) });
    expect(confirmed(page, "mask")).toEqual([0, 1, 0, 0, 0, 0]);
    // A notebook is saved with the model's bytes.
    expect(page.model.get("mask")).toBe(page.store.get("mask"));
    expectMasked(page, [[0, 1]]);
  });

  it("are shown again, where a page without Python has taken its edits back", () => {
    const page = opened({}, { commLive: false });
    page.store.ask("temperature", 0);
    page.mask([1, 2]);
    page.store.undo();
    expectClose(page.store.attention.data, [0, 0, 1, 0, 0, 1]);
    page.store.undo();
    expectMasked(page, []);
    expect(page.store.get("temperature")).toBe(1);
    page.store.redo();
    expectClose(page.store.attention.data, [0, 0, 1, 0, 0, 1]);
  });
});

describe("a refused edit", () => {
  it("is taken back, and no other is", async () => {
    const page = opened();
    page.mask([0, 1]);
    page.store.ask("temperature", -1);
    page.mask([1, 1]);
    const refused = { [page.client()]: { "2": "temperature: got -1" } };
    const masked = [
      [0, 1],
      [1, 1],
    ] as const;
    await page.receive({ _change: answer(page, 3, masked, { refused }) });
    expectMasked(page, masked);
    expect([page.store.get("temperature"), page.store.pending]).toEqual([1, 0]);
    expect(page.store.refusal).toBe("temperature: got -1");
  });

  it("is not said twice where Python says it in the card", async () => {
    const page = opened();
    page.store.ask("d_k", 0);
    const refused = { [page.client()]: { "1": "d_k: got 0" } };
    const change = answer(page, 1, [], { refused, revision: 1 });
    await page.receive({ error: "d_k: got 0", _change: change });
    expect([page.store.refusal, page.store.get("error")]).toEqual(["", "d_k: got 0"]);
  });

  it("leaves it to Python what undo takes back", async () => {
    const page = opened();
    page.mask([0, 1]);
    page.store.undo();
    const refused = { [page.client()]: { "1": "no" } };
    await page.receive({ _change: answer(page, 1, [[1, 0]], { refused }) });
    expectMasked(page, [[1, 0]]);
    expect(page.store.canUndo).toBe(false);
  });
});

describe("a missed message", () => {
  it("is noticed by the next: the page asks for the whole state, and takes nothing else", async () => {
    const page = opened();
    page.mask([0, 1]);
    const late = answer(page, 1, [[0, 1]], { from: 2, revision: 3 });
    await page.receive({ _change: late });
    expect(page.fake.asked).toEqual([{ type: "resync" }]);
    expect(page.store.pending).toBe(1);
    expect(confirmed(page, "mask")).toEqual([0, 0, 0, 0, 0, 0]);
    const whole = answer(page, 1, [], { from: null, revision: 3 });
    await page.receive({ ...arraysOf([[1, 1]]), revision: 3, _change: whole });
    expectMasked(page, [[1, 1]]);
    expect(page.store.pending).toBe(0);
  });

  it("that comes late brings no older arrays and names into the page, which asks for the whole state", async () => {
    const page = opened();
    page.mask([0, 1]);
    await page.receive({ title: "new", revision: 2, _change: answer(page, 1, [[0, 1]]) });
    const late = answer(page, 0, [], { from: 0, revision: 1 });
    await page.receive({ ...arraysOf([[1, 2]]), title: "old", revision: 1, _change: late });
    expectMasked(page, [[0, 1]]);
    expect([page.store.get("title"), page.store.get("revision")]).toEqual(["new", 2]);
    expect(page.fake.asked).toEqual([{ type: "resync" }]);
    const whole = answer(page, 1, [], { from: null, revision: 2 });
    await page.receive({ ...arraysOf([[0, 1]]), title: "new", revision: 2, _change: whole });
    expectMasked(page, [[0, 1]]);
    page.mask([1, 0]);
    await page.receive({ _change: answer(page, 2, [[1, 0]], { from: 2, revision: 3 }) });
    expect(confirmed(page, "mask")).toEqual([0, 1, 0, 1, 0, 0]);
  });

  it("and the messages around it are not taken, because their values came in another order", async () => {
    const page = opened();
    const [by, acks] = ["python", {}];
    const last = { ...changeOf(acks, by, [], []), from: 2, revision: 3 };
    await page.receive({ ...arraysOf([[1, 1]]), Q: pack([[5], [6]]), _change: last });
    expectMasked(page, []);
    expect(confirmed(page, "Q")).toEqual([1, 2]);
    const first = { ...changeOf(acks, by, [0], [[0, 2]]), from: 1, revision: 2 };
    await page.receive({ revision: 2, _change: first });
    expectMasked(page, []);
    // The whole state, of which the model has most already.
    const whole = { ...last, from: null };
    expect(page.fake.asked[0]).toEqual({ type: "resync" });
    await page.receive({ ...arraysOf([[1, 1]]), Q: pack([[5], [6]]), revision: 3, _change: whole });
    expectMasked(page, [[1, 1]]);
    expect(confirmed(page, "Q")).toEqual([5, 6]);
  });

  it("without rows is missed too, where it has a name that no other message has", async () => {
    const page = opened();
    await page.receive({ _change: { ...changeOf({}, "python", [], []), from: 1, revision: 2 } });
    const late = { ...changeOf({}, "python", [], []), from: 1, revision: 1 };
    await page.receive({ title: "set before the mask", _change: late });
    expect(page.store.get("title")).toBe("");
    expect(page.fake.asked).toEqual([{ type: "resync" }]);
  });

  it("takes no choice of the page with it, which is made before listeners hear of the message", async () => {
    const page = opened();
    const late = { ...changeOf({}, "python", [], []), from: 5, revision: 6 };
    const received = page.receive({ title: "later", _change: late });
    page.store.set("view", "grid");
    await received;
    expect([page.store.get("view"), page.store.get("title")]).toEqual(["grid", ""]);
  });

  it("was none where an answer comes twice: nothing is asked, and undo stays the page's", async () => {
    const page = opened();
    page.mask([0, 1]);
    const change = answer(page, 1, [[0, 1]]);
    await page.receive({ revision: 2, history: [1, 0], _change: change });
    await page.receive({ revision: 2, history: [1, 0], _change: { ...change } });
    const again = answer(page, 1, [], { from: 2, by: "python" });
    await page.receive({ _change: again });
    expect(page.fake.asked).toEqual([]);
    page.store.undo();
    expectMasked(page, []);
  });
});

describe("two pages", () => {
  it("an undo that another page's edit has overtaken is left to Python", async () => {
    const page = opened();
    page.mask([0, 1]);
    await page.receive({ _change: answer(page, 1, [[0, 1]]) });
    page.store.undo();
    expectMasked(page, []);
    const both = [
      [0, 1],
      [1, 0],
    ] as const;
    const other = answer(page, 1, both, { from: 2, revision: 3, by: "other" });
    await page.receive({ _change: other });
    expectMasked(page, both);
    expect(page.store.pending).toBe(1);
  });

  it("a number of this page stays on top of another page's numbers", async () => {
    const page = opened();
    page.store.draft("Q", 0, 0, 0);
    page.store.settle();
    const change = answer(page, 0, [], { by: "other" });
    await page.receive({ Q: pack([[5], [1]]), ...arraysOf(), _change: change });
    expectClose(page.store.matrix("Q")!.data, [0, 1]);
    expectClose(page.store.attention.data.subarray(0, 3), [1 / 3, 1 / 3, 1 / 3]);
    expect(confirmed(page, "Q")).toEqual([5, 1]);
  });
});

describe("a page that opens", () => {
  const rows = changeOf({}, "python", [0], [[0, 1]]);

  it("asks for the whole state where a change came before it listened", async () => {
    const page = opened({ revision: 2, _change: { ...rows, from: 1, revision: 2 } });
    expect(page.fake.asked).toEqual([{ type: "resync" }]);
    const whole = { ...changeOf({}, "python", [], []), from: null, revision: 2 };
    await page.receive({ ...arraysOf([[0, 1]]), _change: whole });
    expectMasked(page, [[0, 1]]);
  });

  it("asks for nothing where it opens on a whole state, or without Python", () => {
    const whole = { ...changeOf({}, "python", [], []), from: null, revision: 2 };
    expect(opened({ revision: 2, _change: whole }).fake.asked).toEqual([]);
    const saved = { revision: 2, _change: { ...rows, from: 1, revision: 2 } };
    expect(opened(saved, { commLive: false }).fake.asked).toEqual([]);
  });
});
