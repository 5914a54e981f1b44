/** The scan in a card: what is asked, how far it is, and what a click adds. */
import { expect, it } from "vitest";
import { targetOf } from "../../js/card/effect/scan";
import { placeWords } from "../../js/card/effect/scan-map";
import type { CommandsMessage, KnockOutRecord, RunState, ScanMessage } from "../../js/wire/schema";
import { openCard } from "./card";

const IDLE: RunState = { state: "idle", words: "", seconds: null, partial: false };
const record = (layer: number, head: number): KnockOutRecord => ({
  ...{ stack: "cross", layer, head, query: null, key: null, kind: "zero" },
});
const SCAN: ScanMessage = {
  ...{ over: "heads", kind: "zero", target: "the logit of “owl”", baseline: 9.5 },
  ...{ shape: [1, 3], values: [0.5, -2, null], axes: ["layer", "head"], labels: [[4], [0, 1, 2]] },
  ...{ knockouts: [record(4, 0), record(4, 1), record(4, 2)], masked: [], ended: "stopped" },
  ...{ notice: "2 of 3 knock-outs were measured.", seconds: 0.2 },
};
const settled = () => new Promise((resolve) => setTimeout(resolve));

it("asks, says how far it is, is stopped, and adds the knock-out of a click", async () => {
  const card = openCard({ run_state: IDLE, input_text: "a" });
  card.$(".aw-scan-form input").value = "owl, moon";
  const button = card.$(".aw-scan-form .aw-text-button");
  button.click();
  expect(card.fake.asked).toMatchObject([
    { type: "scan", target: ["owl", "moon"], position: null },
  ]);
  const { id } = card.fake.asked[0]!;
  card.fake.reply({ type: "progress", of: id, done: 1, total: 3 });
  expect(card.$(".aw-scan-words").textContent).toBe("1 of 3");
  expect(button.textContent).toBe("stop");
  button.click();
  expect(card.fake.asked[1]).toEqual({ type: "stop", of: "scan" });
  card.fake.reply({ id, scan: SCAN });
  await settled();
  expect(card.$(".aw-scan-words").textContent).toBe("2 of 3 knock-outs were measured.");
  const lines = card.$(".aw-scan-list").children;
  expect(lines.map((line) => line.textContent)).toEqual([
    ...["layer 4, head 1−2.00", "layer 4, head 0+0.50"],
  ]);
  lines[0]!.children[0]!.click();
  const { commands } = card.fake.sent.at(-1)!._commands as CommandsMessage;
  expect(commands).toMatchObject([{ do: "knock_out", add: [record(4, 1)], remove: [] }]);
});

it("says why a scan was refused", async () => {
  const card = openCard({ run_state: IDLE, input_text: "a" });
  card.$(".aw-scan-form .aw-text-button").click();
  card.fake.reply({ id: card.fake.asked[0]!.id, error: "target: no such token" });
  await settled();
  expect(card.$(".aw-scan-words").textContent).toContain("target: no such token");
  expect(card.$(".aw-scan-form .aw-text-button").textContent).toBe("scan");
});

it("names the place of a value, and reads two tokens as a difference", () => {
  expect(placeWords(SCAN, 2)).toBe("layer 4, head 2");
  const keys = { ...SCAN, shape: [2], axes: ["key"], labels: [["fox", "bee"]] };
  expect(placeWords(keys, 1)).toBe("key 1 “bee”");
  expect([" owl ", "a,b", "a,", "kl"].map(targetOf)).toEqual(["owl", ["a", "b"], "a,", "kl"]);
});
