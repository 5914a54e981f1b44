/** The state before the last edit, which views compare with what they draw. */
import { expect, test } from "vitest";
import { arraysOf, changeOf, pack, unending, weightsOf } from "./model";
import { expectClose, opened } from "./opened";

type Watched = ReturnType<typeof watched>;

function watched() {
  const page = opened();
  page.store.before.watch(unending);
  return page;
}

const expectBefore = ({ store }: Watched, weights: readonly (readonly number[])[]) =>
  expectClose(store.before.matrix("attention")!.data, weights.flat());

test("before the first edit there is nothing to compare with", () => {
  const { store } = watched();
  expect([store.before.edits, store.before.matrix("attention")]).toEqual([0, null]);
});

test("a masked cell: the weights before it, which later edits of the arrays leave alone", async () => {
  const page = watched();
  page.mask([1, 2]);
  expectBefore(page, weightsOf());
  expect(page.store.before.edits).toBe(1);
  // Python writes its rows into the arrays in place, rounded otherwise.
  await page.receive({ _change: changeOf({ [page.client()]: 1 }, page.client(), [1], [[1, 2]]) });
  expectBefore(page, weightsOf());
  expect(page.store.before.edits).toBe(1);
  page.mask([0, 0]);
  expectBefore(page, weightsOf([[1, 2]]));
  expect(page.store.before.edits).toBe(2);
});

test("edits that no view watches are one edit when a view watches again", () => {
  const page = opened();
  const view = new AbortController();
  page.store.before.watch(view.signal);
  page.mask([1, 2]);
  view.abort();
  page.mask([0, 0]);
  page.mask([0, 1]);
  expect(page.store.before.edits).toBe(1);
  page.store.before.watch(unending);
  expectBefore(page, weightsOf([[1, 2]]));
  expect(page.store.before.edits).toBe(2);
});

test("the cells of one stroke are one edit", () => {
  const page = watched();
  const stroke = page.store.stroke();
  page.store.paint([5], true, stroke);
  page.store.paint([0], true, stroke);
  expectBefore(page, weightsOf());
  expect(page.store.before.edits).toBe(1);
});

test("a number that is dragged over many values is one edit, also when it is let go", () => {
  const page = watched();
  page.mask([1, 2]);
  page.store.draft("Q", 0, 0, 0.5);
  page.store.draft("Q", 0, 0, 0);
  page.store.settle();
  expectBefore(page, weightsOf([[1, 2]]));
  expectClose(page.store.before.matrix("Q")!.data, [1, 2]);
  expect(page.store.before.edits).toBe(2);
  page.store.draft("Q", 0, 0, 3);
  expectClose(page.store.before.matrix("Q")!.data, [0, 2]);
  expect(page.store.before.edits).toBe(3);
});

test("a drag that is broken off leaves no difference", () => {
  const page = watched();
  page.store.draft("Q", 0, 0, 0.5);
  page.store.abandon();
  expectBefore(page, weightsOf());
  expect(page.store.before.edits).toBe(1);
});

test("undo is an edit", () => {
  const page = watched();
  page.mask([1, 2]);
  page.store.undo();
  expectBefore(page, weightsOf([[1, 2]]));
});

test("a setting that Python answers is an edit, and its answer is not the edit before", async () => {
  const page = watched();
  page.mask([1, 2]);
  await page.receive({ _change: changeOf({ [page.client()]: 1 }, page.client(), [1], [[1, 2]]) });
  page.store.ask("seed", 3);
  expect(page.store.before.edits).toBe(1);
  await page.receive({ Q: pack([[0], [0]]), ...arraysOf([[0, 1]]) });
  expectBefore(page, weightsOf([[1, 2]]));
  expect(page.store.before.edits).toBe(2);
});

test("another head is no edit: there is nothing to compare with", async () => {
  const page = watched();
  page.mask([1, 2]);
  await page.receive({ ...arraysOf([[0, 1]]), shown: [0, 1, "cross"], head: 1 });
  expect(page.store.before.matrix("attention")).toBe(null);
});

test("a mistake that is switched on changes the drawn weights, and not those of another edit", async () => {
  const page = watched();
  page.mask([1, 2]);
  const got = pack(weightsOf([[0, 1]]));
  const maps = { got, expected: got, scores: got, weights: got };
  const report = { kind: "mistake", name: "no-scale", step: "scores", case: "given", ...maps };
  await page.receive({ report } as never);
  expectClose(page.store.matrix("attention")!.data, weightsOf([[0, 1]]).flat());
  expectBefore(page, weightsOf([[1, 2]]));
});
