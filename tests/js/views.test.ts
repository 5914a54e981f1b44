/** Which views of a card can be chosen, and why the other views cannot. */
import { expect, test } from "vitest";
import { VIEWS } from "../../js/views/registry";
import { openCard } from "./card";
import { arraysOf, K, pack, Q, V } from "./model";

const ONE_MAP = "a single map needs no overview";
const WHY = "This view needs Q, K and V: V of this layer was not captured";
const ALL = "This view needs Q, K and V: Q, K and V of this layer were not captured";

function offered({ root }: ReturnType<typeof openCard>) {
  const buttons = root.querySelector('[aria-label="view"]').querySelectorAll("button");
  return buttons
    .filter((button) => !button.hidden)
    .map((button) => [button.dataset.value, button.disabled ? button.title : ""]);
}

test("all of Q, K and V: every view", () => {
  expect(offered(openCard())).toEqual([
    ["heatmap", ""],
    ["steps", ""],
    ["lines", ""],
    ["neuron", ""],
    ["grid", ONE_MAP],
  ]);
});

test("none of them: the views that need weights alone can be chosen, the others keep their place", () => {
  const card = openCard({ Q: null, K: null, V: null, output: null });
  expect(offered(card)).toEqual([
    ["heatmap", ""],
    ["steps", ALL],
    ["lines", ""],
    ["neuron", ALL],
    ["grid", ONE_MAP],
  ]);
});

test("a layer whose V was not captured bars Steps and Neuron, and says why", () => {
  const card = openCard({ V: null, output: null });
  expect(offered(card)).toEqual([
    ["heatmap", ""],
    ["steps", WHY],
    ["lines", ""],
    ["neuron", WHY],
    ["grid", ONE_MAP],
  ]);
  card.root.querySelector('[data-value="heatmap"]').fire("keydown", { key: "ArrowRight" });
  expect(card.fake.model.get("view")).toBe("lines");
});

test.each(["steps", "neuron"])(
  "%s of such a layer says why it is empty, and is drawn when V is here",
  async (view) => {
    const card = openCard({ view, K: null, V: null, output: null });
    expect(card.$(".aw-body").textContent).toBe(
      "This view needs Q, K and V: K and V of this layer were not captured.",
    );
    await card.fake.receive({
      Q: pack(Q),
      K: pack(K),
      V: pack(V),
      ...arraysOf(),
      shown: [1, 0, "cross"],
    });
    expect(card.$(`.aw-${view}`)).toBeDefined();
    expect(card.alert()).toBe("");
  },
);

test("a view is registered by its own name", () => {
  expect(Object.keys(VIEWS)).toEqual(Object.values(VIEWS).map(({ name }) => name));
});
