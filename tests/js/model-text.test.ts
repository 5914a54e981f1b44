/** The text box of a model, and the slider over the steps of a training. */
import { describe, expect, it } from "vitest";
import type { Traits } from "../../js/wire/schema";
import { openCard } from "./card";

const box = (card: ReturnType<typeof openCard>, i = 0) =>
  card.root.querySelectorAll(".aw-field-text")[i]!.querySelector("input");
const field = (card: ReturnType<typeof openCard>) => card.$(".aw-field-text .aw-field-error");
const type = (card: ReturnType<typeof openCard>, words: string) => {
  box(card).value = words;
  box(card).fire("input");
  box(card).fire("keydown", { key: "Enter" });
};
const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("the text box", () => {
  it("is there for a model of text alone; a pair has two boxes", () => {
    const without = openCard();
    expect(without.root.querySelectorAll(".aw-field-text")).toEqual([]);
    expect(without.$(".aw-model-text").hidden).toBe(true);
    const pair = openCard({ input_text: ["a cat", "a dog"] });
    expect([box(pair).value, box(pair, 1).value]).toEqual(["a cat", "a dog"]);
  });

  it("asks Python on Enter, shows that it waits, and takes the text of the answer", async () => {
    const card = openCard({ input_text: "a cat" });
    type(card, "a dog");
    expect(card.fake.asked).toMatchObject([{ type: "run", text: "a dog" }]);
    expect(card.root.dataset.reading).toBe("true");
    await card.fake.receive({ input_text: "a dog!" } as Partial<Traits>);
    card.fake.reply({ id: card.fake.asked[0]!.id });
    await settled();
    expect(card.root.dataset.reading).toBe("false");
    expect(box(card).value).toBe("a dog!");
  });

  it("keeps a refused text in the box, with the reason under it", async () => {
    const card = openCard({ input_text: "a cat" });
    type(card, "too long");
    card.fake.reply({ id: card.fake.asked[0]!.id, error: "text: got 600 tokens, want 512" });
    await settled();
    expect(field(card).hidden).toBe(false);
    expect(field(card).textContent).toBe("text: got 600 tokens, want 512");
    expect(box(card).value).toBe("too long");
    box(card).fire("keydown", { key: "Escape" });
    expect(box(card).value).toBe("a cat");
    expect(field(card).hidden).toBe(true);
  });

  it("asks nothing for the same text", () => {
    const card = openCard({ input_text: "a cat" });
    type(card, "a cat");
    expect(card.fake.asked).toEqual([]);
  });
});

describe("the slider", () => {
  it("is hidden without a training, and sets the step", () => {
    expect(openCard().$(".aw-field-checkpoint").hidden).toBe(true);
    const card = openCard({ checkpoints: [25, 50, 75], checkpoint: 75 });
    const input = card.$(".aw-field-checkpoint input");
    expect(input.value).toBe("2");
    input.value = "1";
    input.fire("input");
    expect(card.fake.sent.at(-1)).toEqual({ checkpoint: 50 });
  });
});
