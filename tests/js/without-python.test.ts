/** What a card says and shows while Python is silent, and where there is none. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NO_PYTHON } from "../../js/card/status";
import { NO_ANSWER } from "../../js/state/waiting";
import { decode } from "../../js/wire/codec";
import type { CommandsMessage, LayerInfo, Traits } from "../../js/wire/schema";
import { openCard } from "./card";
import { arraysOf, changeOf } from "./model";

const NONE = { commLive: false };
const LAYERS: LayerInfo[] = [0, 1, 2].map((index) => ({
  ...{ index, module: "", stack: "cross", n_heads: 2, n_kv_heads: 2, proved: null },
}));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Card = ReturnType<typeof openCard>;

const said = ({ $ }: Card) => ($(".aw-busy").hidden ? "" : $(".aw-busy").textContent);

/** A click on the cell of the first query and the first key. */
function click(card: Card) {
  const { left, top } = card.$(".aw-map").dataset;
  const at = { clientX: Number(left) + 1, clientY: Number(top) + 1 };
  card.$(".aw-over").fire("pointerdown", at);
  card.$(".aw-over").fire("pointerup", at);
}

function pick(card: Card, name: string, value: string | number) {
  const select = card.$(`.aw-pick-${name}`);
  select.value = String(value);
  select.fire("change");
}

async function answer({ fake }: Card, seq: number) {
  const { client } = fake.model.get("_commands") as CommandsMessage;
  await fake.receive({ _change: changeOf({ [client]: seq }, client, [0], [[0, 0]]) });
}

describe("a click", () => {
  it("without Python is a preview, and the card says so quietly until the page is closed", async () => {
    const card = openCard({}, NONE);
    expect(said(card)).toBe("");
    click(card);
    expect(said(card)).toBe(NO_PYTHON);
    expect([card.alert(), card.root.dataset.pending]).toEqual(["", "1"]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(said(card)).toBe(NO_PYTHON);
  });

  it("that Python has not answered for 3 s is said, until it is answered", async () => {
    const card = openCard();
    click(card);
    await vi.advanceTimersByTimeAsync(2000);
    click(card);
    expect(said(card)).toBe("");
    await vi.advanceTimersByTimeAsync(1000);
    expect(said(card)).toBe(NO_ANSWER);
    await answer(card, 2);
    expect(said(card)).toBe("");
  });

  it("that is answered lets the next one wait for 3 s of its own", async () => {
    const card = openCard();
    click(card);
    click(card);
    await vi.advanceTimersByTimeAsync(2000);
    await answer(card, 1);
    await vi.advanceTimersByTimeAsync(2000);
    expect([said(card), card.root.dataset.pending]).toEqual(["", "1"]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(said(card)).toBe(NO_ANSWER);
  });

  it("is said to be a preview when the kernel ends before it answers", async () => {
    const manager = { kernel: { status: "busy" } };
    const card = openCard({}, { manager });
    click(card);
    manager.kernel.status = "dead";
    await vi.advanceTimersByTimeAsync(3000);
    expect(said(card)).toBe(NO_PYTHON);
  });
});

describe("a page whose kernel comes back", () => {
  it("sends nothing while it is gone, and then all that was not answered", async () => {
    const layout = { comm_live: false };
    const card = openCard({}, { layout });
    click(card);
    await vi.advanceTimersByTimeAsync(5000);
    expect(card.fake.sent).toEqual([]);
    layout.comm_live = true;
    card.fake.fire("comm_live_update");
    await vi.advanceTimersByTimeAsync(0);
    expect(card.fake.commands).toMatchObject([{ seq: 1, on: [0, 1] }]);
    expect(said(card)).toBe("");
    await vi.advanceTimersByTimeAsync(3000);
    expect(said(card)).toBe(NO_ANSWER);
  });
});

describe("views that ask Python", () => {
  const model = LAYERS.map((layer) => ({ ...layer, module: `h.${layer.index}` }));

  it.each([
    ["grid", ".aw-grid-error"],
    ["lines", ".aw-line-readout"],
    ["bertviz-head", ".aw-bertviz-status"],
  ])("%s says that it is not saved, and waits for nothing", async (view, place) => {
    const card = openCard({ view, layers: model }, NONE);
    await vi.advanceTimersByTimeAsync(0);
    expect(card.$(place).textContent).toBe("This is not saved here: it needs a running kernel");
    expect(card.root.querySelectorAll('[aria-busy="true"]')).toEqual([]);
  });

  it.each(["grid", "lines", "bertviz-head"])("%s is said to be waited for", async (view) => {
    const card = openCard({ view, layers: model });
    await vi.advanceTimersByTimeAsync(3000);
    expect(said(card)).toBe(NO_ANSWER);
    card.fake.reply({ id: card.fake.asked[0]?.id, error: "too long" });
    await vi.advanceTimersByTimeAsync(0);
    expect(said(card)).toBe("");
  });
});

describe("a layer that is picked", () => {
  const shown = (card: Card) => [card.$(".aw-pick-layer").value, card.root.dataset.layer];

  it("without Python is not taken: the picker goes back, and the card says why", () => {
    const card = openCard({ layers: LAYERS }, NONE);
    pick(card, "layer", 1);
    expect(shown(card)).toEqual(["0", "0"]);
    expect(said(card)).toBe("layer 1 is not saved here: it needs a running kernel");
    expect([card.fake.model.get("layer"), card.fake.sent]).toEqual([0, []]);
  });

  it("is named when its map is here: until then the old name stays with the old map", async () => {
    const card = openCard({ layers: LAYERS });
    pick(card, "layer", 1);
    expect(card.fake.sent).toEqual([{ layer: 1 }]);
    expect([...shown(card), said(card)]).toEqual(["0", "0", "computing…"]);
    await vi.advanceTimersByTimeAsync(3000);
    expect(said(card)).toBe(NO_ANSWER);
    await card.fake.receive({ ...arraysOf([[0, 1]]), shown: [1, 0, "cross"], revision: 2 });
    expect([...shown(card), said(card)]).toEqual(["1", "1", ""]);
  });

  it("twice by its button is the one after the next", () => {
    const card = openCard({ layers: LAYERS });
    const next = card.$('[aria-label="next layer"]');
    next.click();
    next.click();
    expect(card.fake.sent).toEqual([{ layer: 1 }, { layer: 2 }]);
    expect(next.getAttribute("aria-disabled")).toBe("true");
    expect(shown(card)).toEqual(["0", "0"]);
  });

  it("is that of the map where a notebook was saved before the answer", () => {
    const card = openCard({ layers: LAYERS, layer: 2 }, NONE);
    expect([...shown(card), said(card)]).toEqual(["0", "0", ""]);
  });
});

describe("without Python", () => {
  const refused = "This is not saved here: it needs a running kernel";

  it("a stack, a head, words and special tokens go back to what is shown", () => {
    const both = [...LAYERS, { ...LAYERS[0], stack: "self" }];
    const card = openCard({ layers: both, merge: "tokens", hide_special: false }, NONE);
    pick(card, "stack", "self");
    expect([card.$(".aw-pick-stack").value, said(card)]).toEqual([
      "cross",
      "the stack “self” is not saved here: it needs a running kernel",
    ]);
    pick(card, "head", 1);
    expect(card.$(".aw-pick-head").value).toBe("0");
    card.$('[data-value="words"]').click();
    expect([said(card), card.fake.model.get("merge")]).toEqual([refused, "tokens"]);
    card.$(".aw-toggle").click();
    expect(card.$(".aw-toggle").getAttribute("aria-pressed")).toBe("false");
    expect(card.fake.sent).toEqual([]);
  });

  it("the heads of a sentence are all here", () => {
    const two = (name: "scores" | "attention" | "output") => {
      const one = arraysOf()[name === "scores" ? "attention" : name];
      const flat = [...decode(one)];
      const bytes = new Float32Array([...flat, ...flat]);
      return { ...one, data: new DataView(bytes.buffer), shape: [2, ...one.shape] };
    };
    const stacked = { scores: two("scores"), attention: two("attention"), output: two("output") };
    const card = openCard({ ...stacked, n_heads: 2, V: null, Q: null, K: null }, NONE);
    pick(card, "head", 1);
    expect([card.root.dataset.head, said(card)]).toEqual(["1", ""]);
  });

  it("a head of the grid is not opened under another's name", async () => {
    const card = openCard({ layers: LAYERS, view: "grid" });
    const part = {
      ...{
        layers: [0, 1, 2],
        first: 0,
        parts: 1,
        shape: [3, 2, 1, 1],
        statistics: {},
        without_sink: {},
      },
      peaks: LAYERS.map(() => [0.5, 0.5]),
    };
    card.fake.reply({ ...part, id: card.fake.asked[0]?.id }, [new DataView(new ArrayBuffer(6))]);
    await vi.advanceTimersByTimeAsync(0);
    (card.fake.model as unknown as { comm_live: boolean }).comm_live = false;
    card.page.frame();
    card.$('.aw-thumb[data-layer="2"]').click();
    expect([card.root.dataset.view, card.root.dataset.layer]).toEqual(["grid", "0"]);
    expect(said(card)).toBe("layer 2 is not saved here: it needs a running kernel");
  });

  it("settings that Python computes go back, and those of the page are taken", () => {
    const lab: Partial<Traits> = {
      seed: 0,
      init: "uniform",
      positional: "none",
      d_k: 1,
      n_heads: 1,
    };
    const card = openCard(lab, NONE);
    const positions = card.$('[aria-label="positions"]');
    positions.value = "rotary";
    positions.fire("change");
    expect([positions.value, said(card), card.root.dataset.pending]).toEqual([
      "none",
      refused,
      "0",
    ]);
    const heat = card.$('[aria-label="temperature"]');
    heat.value = "0";
    heat.fire("input");
    expect([card.$(".aw-field-temperature output").textContent, said(card)]).toEqual([
      "0",
      NO_PYTHON,
    ]);
    expect(card.fake.model.get("temperature")).toBe(1); // what a notebook is saved with
  });

  it("only what this page did can be taken back", () => {
    const card = openCard({ history: [3, 1] }, NONE);
    const undo = card.$('[aria-label="undo (Ctrl+Z)"]');
    expect(undo.getAttribute("aria-disabled")).toBe("true");
    click(card);
    expect(undo.getAttribute("aria-disabled")).toBe("false");
    undo.click();
    expect([decode(card.fake.model.get("mask"))[0], undo.getAttribute("aria-disabled")]).toEqual([
      0,
      "true",
    ]);
  });
});

describe("lines of a model", () => {
  const model = LAYERS.map((layer) => ({ ...layer, module: `h.${layer.index}` }));
  const lines = (heads: number) => {
    const weights = new Uint16Array(heads * 6).fill(65535 / 3);
    return [new DataView(weights.buffer), new DataView(new Float32Array(heads * 2).buffer)];
  };

  it("are drawn when their layer is shown, and those of another wait", async () => {
    const card = openCard({ layers: model, view: "lines" });
    const drawn = () => card.$(".aw-lines-view").dataset.painted;
    const readout = () => card.$(".aw-line-readout").textContent;
    const reply = async (i: number) => {
      const { id } = card.fake.asked[i] as { id: string };
      card.fake.reply({ id, shape: [2, 2, 3], n_k: 3, peak: 1 }, lines(2));
      await vi.advanceTimersByTimeAsync(0);
      card.page.frame();
    };
    expect(readout()).toBe("waiting for the lines of layer 0");
    await reply(0);
    expect(drawn()).toBe("1");
    pick(card, "layer", 1);
    expect(card.fake.asked[1]).toMatchObject({ type: "lines", layer: 1, stack: "cross" });
    await card.fake.receive({ ...arraysOf(), shown: [1, 0, "cross"], revision: 2 });
    expect(readout()).toBe("waiting for the lines of layer 1");
    await reply(1);
    expect(readout()).toContain("hover a token");
    pick(card, "layer", 2);
    await reply(2);
    expect([card.root.dataset.layer, readout()]).toEqual(["1", expect.stringContaining("hover")]);
    await card.fake.receive({ ...arraysOf(), shown: [2, 0, "cross"], revision: 3 });
    card.page.frame();
    expect([card.root.dataset.layer, readout()]).toEqual(["2", expect.stringContaining("hover")]);
  });
});
