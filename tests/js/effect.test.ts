/** The panel of the effect: the numbers of each kind, what it says of a run, and its buttons. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { CommandsMessage, Effect, KnockOutRecord, RunState } from "../../js/wire/schema";
import { openCard } from "./card";

const EVIL = "<img src=x onerror=alert(1)>";
const OUT: KnockOutRecord = {
  ...{ stack: "cross", layer: 0, head: 0, query: 1, key: 2, kind: "mean" },
};
const DONE: RunState = { state: "done", words: "From layer 3 on.", seconds: 0.012, partial: true };
const TOKENS: Effect = {
  ...{ kind: "tokens", what: "next token", number: 3.21, unit: "nats", kl: 3.21 },
  ...{ position: 1, token: "b", positions: 2, reach: [{ stack: "cross", layer: 0, query: 1 }] },
  rows: [
    { token: EVIL, id: 4, logit: [14.1, 8.2], p: [0.987, 0.004] },
    { token: " owl", id: 5, logit: [1, 3.5], p: [0.001, 0.9] },
  ],
  loss: { before: [null, 2], after: [null, 3.5] },
};
const VECTORS: Effect = {
  ...{ kind: "vectors", what: "vectors", number: 0.16, unit: "1 - cosine", reach: [] },
  tokens: { cosine: [0.01, 0.25], norm: [0.1, 0.5] },
  pooled: { cosine: 0.16, norm: 0.5, over: "mean over 2 tokens" },
};
const LAYERS = [{ index: 0, module: "a", stack: "cross", n_heads: 1, n_kv_heads: 1, proved: true }];
const model = (more: object = {}) =>
  openCard({ run_state: DONE, layers: LAYERS, knockouts: [OUT], effect: TOKENS, ...more });
type Card = ReturnType<typeof openCard>;
const rows = ({ $ }: Card) =>
  $(".aw-run-rows").children.map((row) => row.children.map((cell) => cell.textContent));
const commands = ({ fake }: Card) => (fake.sent.at(-1)!._commands as CommandsMessage).commands;

afterEach(() => vi.useRealTimers());

describe("the panel", () => {
  it("is there for a model that can run, and for nothing else", () => {
    expect(openCard().root.querySelectorAll(".aw-run")).toEqual([]);
    expect(model().root.querySelectorAll(".aw-run").length).toBe(1);
  });

  it("has the tokens before and after, as text", () => {
    const card = model();
    expect(card.$(".aw-run-number").textContent).toBe("3.21 nats");
    expect(card.$(".aw-run-words").textContent).toBe("12 ms. From layer 3 on.");
    expect(rows(card)).toEqual([
      ["token", "", "p before", "p after", "Δp", "Δlogit"],
      [EVIL, "", "0.987", "0.004", "−0.983", "−5.900"],
      [" owl", "", "0.001", "0.900", "+0.899", "+2.500"],
    ]);
  });

  it("has the vectors of an encoder, the largest change first", () => {
    const card = model({ effect: VECTORS });
    expect(card.$(".aw-run-number").textContent).toBe("1 − cosine 0.16");
    expect(rows(card).slice(1)).toEqual([
      ["token 1", "", "0.250", "0.500"],
      ["token 0", "", "0.010", "0.100"],
    ]);
  });

  it("has the numbers of a column in one notation", () => {
    const row = (token: string, p: [number, number], logit: [number, number]) => ({
      ...{ token, id: 4, p, logit },
    });
    const classes = (...list: ReturnType<typeof row>[]) =>
      model({ effect: { ...TOKENS, kind: "classes", what: "class", rows: list, loss: null } });
    const card = classes(
      row("bad", [0.9997, 0.9], [4, 3.5]),
      row("good", [3e-4, 0], [-2, -2.0000004]),
    );
    expect(rows(card).slice(1)).toEqual([
      ["bad", "", "1.000", "0.900", "−0.100", "−0.500"],
      ["good", "", "<0.001", "0.000", "0.000", "0.000"],
    ]);
    const small = classes(row("a", [2e-5, 4e-5], [0, 1]), row("b", [1e-4, 1e-5], [0, 1]));
    expect(rows(small)[1]).toEqual(["a", "", "2.00e−5", "4.00e−5", "+2.00e−5", "+1.000"]);
  });

  it("keeps its numbers while the next run is under way", async () => {
    const card = model();
    await card.fake.receive({ effect: null, run_state: { ...DONE, state: "running" } });
    expect(card.$(".aw-run-number").textContent).toBe("3.21 nats");
    await card.fake.receive({
      knockouts: [],
      run_state: { ...DONE, state: "idle", seconds: null },
    });
    expect(card.$(".aw-run-number").textContent).toBe("");
  });

  it("says that the model runs after 100 ms, and the run can be stopped", async () => {
    vi.useFakeTimers();
    const card = model();
    const run = card.$(".aw-run");
    card.fake.receive({ run_state: { ...DONE, state: "running" } });
    await vi.advanceTimersByTimeAsync(90);
    expect(run.dataset.running).toBe("false");
    await vi.advanceTimersByTimeAsync(20);
    expect(run.dataset.running).toBe("true");
    expect(card.$(".aw-run-words").textContent).toBe("The model runs…");
    card.$(".aw-knock-out .aw-button").click();
    expect(commands(card)).toMatchObject([{ do: "stop_run" }]);
  });

  it("offers to run again what has failed, with the reason", () => {
    const card = model({
      effect: null,
      run_state: { ...DONE, state: "failed", words: "no memory" },
    });
    expect(card.$(".aw-run-words").textContent).toContain("no memory");
    card.$(".aw-run-head .aw-text-button").click();
    expect(commands(card)).toMatchObject([{ do: "knock_out", add: [OUT], remove: [] }]);
  });
});
