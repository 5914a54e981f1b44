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

test("a masked cell changes one row, and only that row is copied", () => {
  const page = watched();
  const { before } = page.store;
  page.mask([1, 2]);
  expect(before.rows).toEqual(new Set([1]));
  page.mask([0, 0]);
  expect(before.rows).toEqual(new Set([0]));
  expectBefore(page, weightsOf([[1, 2]]));
  const stroke = page.store.stroke();
  page.store.paint([1], true, stroke);
  page.store.paint([4], true, stroke);
  expect(before.rows).toEqual(new Set([0, 1]));
  page.store.draft("Q", 0, 0, 3);
  expect(before.rows).toBe(null);
});

test("other tokens are no edit, because their map is another map", async () => {
  const page = watched();
  page.mask([1, 2]);
  await page.receive({ tokens: ["c", "d"], ...arraysOf([[0, 1]]) });
  const { before, showsDifference } = page.store;
  expect([before.edits, before.moment, before.matrix("attention")]).toEqual([1, null, null]);
  page.store.showDifference(true);
  expect(showsDifference).toBe(false);
  page.mask([0, 0]);
  // The cell that was masked before is masked still, because Python has not answered.
  expectBefore(
    page,
    weightsOf([
      [0, 1],
      [1, 2],
    ]),
  );
  expect(page.store.showsDifference).toBe(true);
});

/** Everything that is drawn, copied. */
const NAMES = ["mask", "attention", "output", "scores", "Q", "K", "V"] as const;
const copyOf = ({ store }: Watched) => NAMES.map((name) => [...store.matrix(name)!.data]);

test.each(Array.from({ length: 30 }, (_, seed) => seed))(
  "any order of edits, by rows and of everything: before is the state before the last edit (%i)",
  (seed) => {
    let state = seed + 1;
    const random = (n: number) => {
      state = (state * 48271) % 2147483647;
      return state % n;
    };
    const page = watched();
    const { store } = page;
    let former: number[][] | null = null;
    for (let i = 0; i < 12; i++) {
      const old = copyOf(page);
      const { edits } = store.before;
      const kind = random(5);
      if (kind < 2) store.paint([random(6)], random(2) === 0, store.stroke());
      else if (kind === 2) {
        const stroke = store.stroke();
        for (let cell = 0; cell < 3; cell++) store.paint([random(6)], true, stroke);
      } else if (kind === 3) {
        for (const value of [1, 2]) store.draft("Q", random(2), 0, value + random(5));
        store.settle();
      } else store.undo();
      if (store.before.edits !== edits) former = old;
      NAMES.forEach((name, at) => {
        const kept = store.before.matrix(name);
        if (former) expectClose(kept!.data, former[at] as number[]);
        else expect(kept).toBe(null);
      });
    }
    expect(store.before.edits).toBeGreaterThan(2);
  },
);
