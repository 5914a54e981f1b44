/** The text that a model generates: what the card says of it, and how the card stops it. */
import { describe, expect, it } from "vitest";
import { createStore } from "../../js/state/store";
import type { Generation } from "../../js/wire/schema";
import { openCard } from "./card";
import { fakeModel, unending } from "./model";

const GENERATION: Generation = {
  prompt: "Once",
  tokens: [" upon", "<img src=x onerror=alert(1)>", "\n", ""],
  probabilities: [0.25, 0.0001, null, 1],
  state: "running",
  first: [1, null],
  key: "k1",
};

/** A kernel with subshells, which notes what the page does. */
function kernelWithSubshells() {
  const done: unknown[] = [];
  let start = () => {};
  let fail = (_: Error) => {};
  const subshellStarted = new Promise<void>((resolve, reject) => {
    [start, fail] = [resolve, reject];
  });
  let handle = () => {};
  let cancel = (_: Error) => {};
  const handled = new Promise<void>((resolve, reject) => {
    [handle, cancel] = [resolve, reject];
  });
  const kernel = {
    status: "busy",
    supportsSubshells: true,
    createComm(target: string) {
      done.push(["create", target]);
      return {
        subshellStarted,
        open(data: object) {
          done.push(["open", data]);
          return { done: handled };
        },
        close: () => done.push(["close"]),
        dispose: () => done.push(["dispose"]),
      };
    },
  };
  return { kernel, done, start, fail, handle, cancel };
}

type Card = ReturnType<typeof openCard>;
const bar = ({ $ }: Card) => $(".aw-generated-bar").children;
const said = (card: Card) => bar(card).slice(0, 2).map((part) => part.textContent).join(" "); // biome-ignore format: a line
const stop = (card: Card) => bar(card)[2]!;
const value = ({ $ }: Card) => $(".aw-generated-value").textContent;
const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("the text", () => {
  it("is there where text was generated, and nowhere else", () => {
    expect(openCard().root.querySelectorAll(".aw-generated")).toEqual([]);
    const card = openCard({ generation: GENERATION });
    expect(card.$(".aw-generated-text").textContent).toBe(
      "Once upon<img src=x onerror=alert(1)>\n",
    );
    expect(card.$(".aw-generated-text").children.map(({ tag }) => tag)).toEqual(
      Array(5).fill("span"),
    );
  });

  it("gives a sign to tokens without a visible character", () => {
    const spans = openCard({ generation: GENERATION }).$(".aw-generated-text").children;
    expect(spans.map(({ dataset }) => dataset.mark)).toEqual([
      ...[undefined, undefined, undefined],
      ...["⏎", "∅"],
    ]);
  });

  it("grows by the new tokens alone", async () => {
    const card = openCard({ generation: { ...GENERATION, tokens: [" a"], probabilities: [1] } });
    const before = card.$(".aw-generated-text").children[1];
    expect(said(card)).toBe("generating… 1 token");
    await card.fake.receive({
      generation: { ...GENERATION, tokens: [" a", " b"], probabilities: [1, 0.5] },
    });
    const after = card.$(".aw-generated-text").children;
    expect(after.map(({ textContent }) => textContent)).toEqual(["Once", " a", " b"]);
    expect(after[1]).toBe(before);
    expect([said(card), card.alert()]).toEqual(["generating… 2 tokens", ""]);
  });

  it("shows the probability of the token under the pointer or reached by keys", () => {
    const card = openCard({ generation: GENERATION });
    const text = card.$(".aw-generated-text");
    text.fire("pointerover", { target: text.children[1] });
    expect(value(card)).toBe("“upon” probability 0.250");
    text.fire("pointerover", { target: text.children[0] });
    expect(value(card)).toBe("");
    const seen = ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"].map(
      (key) => {
        text.fire("keydown", { key });
        return value(card);
      },
    );
    expect(seen).toEqual([
      "“upon” probability 0.250",
      "“<img src=x onerror=alert(1)>” probability 1.00e−4",
      "“⏎” probability not known",
      ...Array(2).fill("“∅” probability 1.000"),
    ]);
    text.fire("blur");
    expect(value(card)).toBe("");
  });
});

describe("the state", () => {
  it.each([
    ["done", "done: 4 tokens"],
    ["stopped", "stopped after 4 tokens"],
    ["full", "no room after 4 tokens"],
    ["failed", "failed after 4 tokens"],
  ] as const)("is said where it is %s, without a button that stops", (state, words) => {
    const card = openCard({ generation: { ...GENERATION, state, key: "" } });
    expect([said(card), stop(card).hidden]).toEqual([words, true]);
  });

  it("of a notebook that was saved meanwhile is stopped, because no Python goes on", () => {
    const card = openCard({ generation: GENERATION }, { commLive: false });
    expect([said(card), stop(card).hidden]).toEqual(["stopped after 4 tokens", true]);
    expect(card.$(".aw-generated-text").textContent).toContain("Once upon");
  });
});

describe("the button that stops", () => {
  it("opens a comm beside the running cell, once", async () => {
    const { kernel, done, start, handle } = kernelWithSubshells();
    const card = openCard({ generation: GENERATION }, { manager: { kernel } });
    expect(stop(card).getAttribute("aria-disabled")).toBe("false");
    stop(card).fire("click");
    stop(card).fire("click");
    expect(said(card)).toBe("stopping… 4 tokens");
    // The kernel would handle a message that came before the subshell after the cell.
    await settled();
    expect(done).toEqual([["create", "attnwidget.stop"]]);
    start();
    await settled();
    // The subshell would be ended before it has handled the message.
    expect(done.slice(1)).toEqual([["open", { key: "k1" }]]);
    handle();
    await settled();
    expect(done.slice(2)).toEqual([["close"]]);
    await card.fake.receive({ generation: { ...GENERATION, state: "stopped", key: "" } });
    expect([said(card), stop(card).hidden]).toEqual(["stopped after 4 tokens", true]);
  });

  it("gives the subshell back where nobody stops", async () => {
    const { kernel, done } = kernelWithSubshells();
    const card = openCard({ generation: GENERATION }, { manager: { kernel } });
    expect(done).toEqual([["create", "attnwidget.stop"]]);
    await card.fake.receive({ generation: { ...GENERATION, state: "done", key: "" } });
    expect(done.slice(1)).toEqual([["dispose"]]);
  });

  it("says nothing where the kernel ends before it has stopped", async () => {
    const { kernel, done, start, cancel } = kernelWithSubshells();
    const card = openCard({ generation: GENERATION }, { manager: { kernel } });
    stop(card).fire("click");
    start();
    await settled();
    cancel(new Error("Canceled future for comm_open message before replies were done"));
    await settled();
    expect([card.alert(), done.length]).toEqual(["", 2]);
  });

  it("says why the subshell could not be started", async () => {
    const { kernel, done, fail } = kernelWithSubshells();
    const card = openCard({ generation: GENERATION }, { manager: { kernel } });
    stop(card).fire("click");
    fail(new Error("no subshell"));
    await settled();
    // Another comm waits for another press.
    expect(done).toEqual(Array(2).fill(["create", "attnwidget.stop"]));
    expect(card.alert()).toBe("This view failed: no subshell");
    expect(stop(card).getAttribute("aria-disabled")).not.toBe("true");
  });

  it.each([{}, { manager: { kernel: { status: "busy" } } }])(
    "is disabled with the reason where a running cell hears no message: %j",
    (host) => {
      const card = openCard({ generation: GENERATION }, host);
      expect(stop(card).getAttribute("aria-disabled")).toBe("true");
      expect((stop(card) as unknown as { title: string }).title).toContain("interrupt the kernel");
      stop(card).fire("click");
      expect(said(card)).toBe("generating… 4 tokens");
    },
  );
});

describe("a generated token of the map", () => {
  it("is a row or a column from the first on, and no sink", () => {
    // The map has two queries and three keys, of which the last is a sink.
    const generated = (first: [number | null, number | null], side: "query" | "key") => {
      const { model } = fakeModel({ generation: { ...GENERATION, first } });
      const { isGenerated } = createStore(model, unending);
      return [0, 1, 2].filter((i) => isGenerated(side, i));
    };
    expect(generated([1, 1], "query")).toEqual([1]);
    expect(generated([1, 1], "key")).toEqual([1]);
    expect(generated([0, null], "query")).toEqual([0, 1]);
    expect(generated([0, null], "key")).toEqual([]);
    expect(generated([null, null], "query")).toEqual([]);
  });
});
