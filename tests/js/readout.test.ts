/** What is read aloud, and said beside the map, is what is drawn. */
import { expect, test } from "vitest";
import type { Quantity } from "../../js/wire/schema";
import { openCard } from "./card";
import { arraysOf, vector } from "./model";

// The query "b" looks at the key "z" with 9/14; its value (-5, 12) is 13 long, and 7 long after W_O.
// Without it "b" gives 1/5 to (3, 4) and 4/5 to (0, 0).
const NORMS = { output_norms: vector([2, 0, 7]) };
const OUTPUT = [(3 - 45) / 14, (4 + 108) / 14] as const;
const EFFECT = Math.hypot(OUTPUT[0] - 3 / 5, OUTPUT[1] - 4 / 5);

const WANTED: [Quantity, string, string][] = [
  ["attention", "b → z 0.64", "attention"],
  ["scores", "b → z scores 2.20", "scores"],
  ["value-norm", `b → z attention · ‖v‖ ${((9 * 13) / 14).toFixed(2)}`, "attention · ‖v‖"],
  ["output-norm", "b → z attention · ‖v W_O‖ 4.50", "attention · ‖v W_O‖"],
  ["output-shift", `b → z effect ${EFFECT.toFixed(2)}`, "effect"],
];

test.each(WANTED)("with %s the active cell is %s", async (quantity, said, name) => {
  const card = openCard({ ...NORMS, selection: [1, 2] });
  await card.fake.receive({ quantity });
  card.page.frame();
  const cell = card.$(".aw-gridcell");
  expect(cell.getAttribute("aria-label")).toBe(said);
  expect(card.$(".aw-map").getAttribute("aria-label")).toBe(`${name}: queries down, keys across`);
  card.$(".aw-map").fire("keydown", { key: "End" });
  expect(card.$(".aw-readout").textContent).toBe(said);
  // Beside the map the last number is the same.
  expect(card.$(".aw-inspector").textContent).toContain(`${name}[1, 2]: query 1 looks at key 2`);
  const drawn = Number(card.$(".aw-map").dataset.value);
  const last = card.$(".aw-formula").children.at(-1)?.querySelector("b").textContent;
  expect(Number(last)).toBeCloseTo(drawn, 2);
  expect(said).toContain(drawn.toFixed(2));
});

test("a masked cell has no number of any quantity", () => {
  const card = openCard({ ...arraysOf([[1, 2]]), quantity: "scores", selection: [1, 2] });
  expect(card.$(".aw-gridcell").getAttribute("aria-label")).toBe("b → z masked");
});
