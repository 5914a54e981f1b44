/** A saved page is its own authority: closed forms of softmax of ln 1, ln 2, ln 3 and ln 1, ln 4, ln 9. */
import { describe, expect, it, vi } from "vitest";
import createWidget from "../../js/entry/widget";
import { createSavedModel } from "../../js/saved/model";
import { decode } from "../../js/wire/codec";
import type { Traits } from "../../js/wire/schema";
import { weightsOf } from "./model";
import { type Element_, openPage } from "./page";
import { fileOf } from "./saved-file";

const tick = () => new Promise((done) => setTimeout(done));

async function open(more: Partial<Traits> = {}) {
  const page = openPage();
  const model = await createSavedModel(fileOf(more));
  const { render } = createWidget();
  render({ model, el: page.body as unknown as HTMLElement });
  const root = page.root.children[0] as Element_;
  const $ = (selector: string) => root.querySelector(selector);
  const weights = () => [...decode(model.get("attention"))];
  const click = async (query: number, key: number) => {
    const { left, top, cell } = $(".aw-map").dataset;
    const at = (start: string | undefined, i: number) => Number(start) + (i + 0.5) * Number(cell);
    const place = { clientX: at(left, key), clientY: at(top, query) };
    $(".aw-over").fire("pointerdown", place);
    $(".aw-over").fire("pointerup", place);
    await tick();
  };
  return { model, root, $, weights, click };
}

const closeTo = (found: readonly number[], wanted: readonly (readonly number[])[]) =>
  wanted.flat().forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value, 6);
  });

describe("an edit of a saved page", () => {
  it("is kept: the page answers it itself, and says nothing of Python", async () => {
    const { $, root, click, weights, model } = await open();
    closeTo(weights(), weightsOf());
    await click(1, 2);
    closeTo(weights(), weightsOf([[1, 2]]));
    expect([root.dataset.pending, $(".aw-busy").hidden]).toEqual(["0", true]);
    expect([model.get("history"), model.get("notice")]).toEqual([[1, 0], "edited"]);
  });

  it("is undone and made again from the page's own history", async () => {
    const { $, click, weights } = await open();
    await click(0, 0);
    await click(1, 1);
    const [undo, redo] = $(".aw-history").children as [Element_, Element_];
    undo.click();
    await tick();
    closeTo(weights(), weightsOf([[0, 0]]));
    undo.click();
    await tick();
    closeTo(weights(), weightsOf());
    expect(undo.getAttribute("aria-disabled")).toBe("true");
    redo.click();
    redo.click();
    await tick();
    closeTo(weights(), weightsOf([[0, 0], [1, 1]])); // biome-ignore format: cells
  });

  it("of a preset hides what the preset hides", async () => {
    const { $, weights, model } = await open();
    $('[data-preset="causal"] button').click();
    await tick();
    expect([...decode(model.get("mask"))]).toEqual([0, 1, 1, 0, 0, 1]);
    closeTo(weights(), weightsOf([[0, 1], [0, 2], [1, 2]])); // biome-ignore format: cells
    expect(model.get("presets")).toEqual({ causal: true });
  });

  it("stays on the cells when another layer is shown, with that layer's numbers", async () => {
    const { $, click, weights, model } = await open();
    await click(0, 2);
    const layer = $(".aw-pick-layer");
    layer.value = "1";
    layer.fire("change");
    await tick();
    expect(model.get("shown")).toEqual([1, 0, "cross"]);
    // Query 0 has now the parts 1, 4, 9, of which the last is masked.
    closeTo(weights(), [[1 / 5, 4 / 5, 0], weightsOf()[0] as number[]]);
  });
});

describe("what a saved page lacks", () => {
  it("is refused in words, and nothing waits", async () => {
    const { model, root, $ } = await open();
    const command = { do: "set", name: "seed", value: 3, stroke: 1, seq: 1 };
    model.set("_commands", { client: "other", commands: [command] } as never);
    model.save_changes();
    await tick();
    const { refused, acks } = model.get("_change") as NonNullable<Traits["_change"]>;
    expect(acks).toEqual({ other: 1 });
    expect(refused.other).toEqual({ 1: "seed: it needs Python; this page was saved without it" });
    expect([model.get("revision"), root.dataset.pending]).toEqual([1, "0"]);
    expect($(".aw-field-seed").title).toContain("Needs Python");
  });

  it("is a layer that the file has not: the picker goes back", async () => {
    const { model, $ } = await open();
    model.set("layer", 7);
    model.save_changes();
    await tick();
    expect([model.get("layer"), model.get("shown")]).toEqual([0, [0, 0, "cross"]]);
    expect($(".aw-alert").textContent).toContain("Layer 7, head 0 is not saved in this page");
  });

  it("is a document of BertViz: the question has an answer in words", async () => {
    const { model } = await open();
    const heard = vi.fn();
    model.on("msg:custom", heard);
    model.send({ type: "bertviz", kind: "head", id: "q" });
    await tick();
    expect(heard.mock.calls[0]?.[0]).toEqual({
      id: "q",
      error: "This is not saved in this page; it needs Python",
    });
  });
});
