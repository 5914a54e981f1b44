/** When cells that have changed light up. */
import { expect, test } from "vitest";
import { createFlasher } from "../../js/draw/matrix/flash";
import { createScope } from "../../js/ui/scope";
import { pack, unending, weightsOf } from "./model";
import { opened } from "./opened";
import { openPage } from "./page";

const reportOf = (masked: readonly (readonly [number, number])[]) => {
  const weights = pack(weightsOf(masked));
  const maps = { got: weights, expected: weights, scores: weights, weights };
  return { kind: "mistake", name: "no-scale", step: "scores", case: "given", ...maps };
};

test("under a mistake an edit that lights no cell is tried again only when Python's numbers come", async () => {
  openPage();
  const page = opened({ report: reportOf([]) as never });
  const { store } = page;
  store.before.watch(unending);
  let tries = 0;
  let lit = 0;
  const scope = createScope(unending, (error) => {
    throw error;
  });
  const light = () => {
    tries++;
    return lit;
  };
  const flasher = createFlasher(store, light, () => {}, scope);
  page.mask([1, 2]);
  for (let paint = 0; paint < 5; paint++) flasher.painted("red");
  expect(tries).toBe(1);
  lit = 3;
  await page.receive({ report: reportOf([[1, 2]]) as never });
  for (let paint = 0; paint < 5; paint++) flasher.painted("red");
  expect(tries).toBe(2);
  // The next edit is tried although the report is the same.
  page.mask([0, 0]);
  flasher.painted("red");
  expect(tries).toBe(3);
});
