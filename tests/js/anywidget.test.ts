/** The widget as anywidget gets it: a model is initialised at once, a card is drawn in a later task. */
import type { AnyModel } from "@anywidget/types";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import createWidget from "../../js/entry/anywidget";
import type { Traits } from "../../js/wire/schema";
import { fakeModel } from "./model";
import { openPage } from "./page";

function open() {
  const page = openPage();
  const life = new AbortController();
  const host = { model: fakeModel().model as AnyModel<Traits>, signal: life.signal };
  const widget = createWidget();
  widget.initialize(host);
  const drawn = widget.render({ ...host, el: page.body as unknown as HTMLElement });
  return { cards: () => page.root.children.length, drawn, life };
}

const tasks: { run: () => void; priority: string }[] = [];

beforeEach(() => {
  tasks.length = 0;
  vi.stubGlobal("scheduler", {
    postTask: (task: () => void, { priority }: { priority: string }) =>
      new Promise<void>((done) => {
        const run = () => {
          task();
          done();
        };
        tasks.push({ run, priority });
      }),
  });
});
afterEach(() => vi.unstubAllGlobals());

it("draws a card after the tasks that load models", async () => {
  const { cards, drawn } = open();
  await Promise.resolve();
  expect(cards()).toBe(0);
  expect(tasks.map(({ priority }) => priority)).toEqual(["background"]);
  tasks[0].run();
  const end = await drawn;
  expect(cards()).toBe(1);
  end?.();
  expect(cards()).toBe(0);
});

it("draws no card in a place that is gone by then", async () => {
  const { cards, drawn, life } = open();
  life.abort();
  tasks[0].run();
  await drawn;
  expect(cards()).toBe(0);
});

it("draws in a task of its own where the browser has no scheduler", async () => {
  vi.stubGlobal("scheduler", undefined);
  const { cards, drawn } = open();
  await Promise.resolve();
  expect(cards()).toBe(0);
  await drawn;
  expect(cards()).toBe(1);
});
