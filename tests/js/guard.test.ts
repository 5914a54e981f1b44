/** What throws anywhere in a card is said in the card. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createScope } from "../../js/ui/scope";
import { openCard } from "./card";
import { arraysOf } from "./model";
import { openPage } from "./page";

const broken = (): never => {
  throw new Error("it broke");
};
const SAID = "This view failed: it broke";

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test.each(["heatmap", "steps", "lines", "neuron"])("a frame of %s that throws", async (view) => {
  const { alert, fake, page } = openCard({ view });
  page.frame();
  expect(alert()).toBe("");
  page.drawing.clearRect = broken;
  await fake.receive({ ...arraysOf([[1, 2]]), cmap: "magma" });
  page.frame();
  expect([alert(), page.uncaught]).toEqual([SAID, []]);
});

test("a pointer handler that throws", () => {
  const { alert, page, $ } = openCard();
  $(".aw-over").getBoundingClientRect = broken;
  $(".aw-over").fire("pointermove");
  expect([alert(), page.uncaught]).toEqual([SAID, []]);
});

test("a key handler that throws", () => {
  const { alert, page, $ } = openCard();
  $(".aw-map").closest = broken;
  $(".aw-map").fire("keydown", { key: "Escape" });
  expect([alert(), page.uncaught]).toEqual([SAID, []]);
});

test("a button of the card that throws", () => {
  const { alert, fake, page, root } = openCard();
  fake.model.save_changes = broken;
  root.querySelector('[data-value="row"]').click();
  expect([alert(), page.uncaught]).toEqual([SAID, []]);
});

test("another size that cannot be laid out", () => {
  const { alert, page, $ } = openCard();
  Object.defineProperty($(".aw-map-column"), "clientWidth", { get: broken });
  page.resize();
  expect([alert(), page.uncaught]).toEqual([SAID, []]);
});

test("a failure stays when an error of Python's is dismissed after it", async () => {
  const { alert, fake, $ } = openCard();
  $(".aw-over").getBoundingClientRect = broken;
  $(".aw-over").fire("pointermove");
  await fake.receive({ error: "W_q is too wide" });
  expect(alert()).toBe("W_q is too wide dismiss");
  $(".aw-alert").querySelector("button").click();
  await Promise.resolve();
  expect(alert()).toBe(SAID);
});

test("a scope asks for one frame at a time, and for none when its view has ended", () => {
  const page = openPage();
  const [life, errors] = [new AbortController(), [] as unknown[]];
  const scope = createScope(life.signal, (error) => errors.push(error));
  let painted = 0;
  const request = scope.frame(() => painted++);
  request();
  request();
  page.frame();
  expect(painted).toBe(1);
  request();
  life.abort();
  request();
  page.frame();
  expect([painted, errors]).toEqual([1, []]);
});

test("a scope says what a promise or a timer throws, and stops timers with the view", async () => {
  vi.useFakeTimers();
  const [life, errors] = [new AbortController(), [] as unknown[]];
  const scope = createScope(life.signal, (error) => errors.push(String(error)));
  scope.guard(async () => broken());
  await Promise.resolve();
  scope.after(100, broken);
  vi.advanceTimersByTime(100);
  scope.after(100, broken);
  life.abort();
  vi.advanceTimersByTime(100);
  expect(errors).toEqual(["Error: it broke", "Error: it broke"]);
});
