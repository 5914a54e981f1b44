/** What a view asks Python for: how it is asked, and how the question ends. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createStore } from "../../js/state/store";
import { NotSaved } from "../../js/state/waiting";
import type { Traits } from "../../js/wire/schema";
import { type FakeOptions, fakeModel, unending } from "./model";

const LINES = { type: "lines", layer: 2, stack: "decoder" };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function opened(ahead: Traits["_early_answer"] = null, options: FakeOptions = {}) {
  const fake = fakeModel({ _early_answer: ahead }, options);
  return { ...fake, fake, store: createStore(fake.model, unending) };
}

/** How a question ended: the error, or nothing while it is open. */
function ending(answer: Promise<unknown>) {
  const end: { error?: unknown; value?: unknown } = {};
  answer.then(
    (value) => {
      end.value = value;
    },
    (error) => {
      end.error = error;
    },
  );
  return end;
}
const settled = () => vi.advanceTimersByTimeAsync(0);

test("an answer that came with the state is not asked for", async () => {
  const buffers = [new DataView(new ArrayBuffer(3))];
  const { store, asked } = opened({ asked: LINES, answer: { n_k: 7 }, buffers });
  expect(await store.request(LINES, unending)).toEqual({ content: { n_k: 7 }, buffers });
  expect(asked).toEqual([]);
});

test.each([
  ["another layer", { ...LINES, layer: 3 }, { asked: LINES, answer: {}, buffers: [] }],
  ["another stack", { ...LINES, stack: "cross" }, { asked: LINES, answer: {}, buffers: [] }],
  ["nothing came", LINES, null],
])("%s is asked for", async (_, wanted, ahead) => {
  const { store, asked, reply } = opened(ahead);
  const answer = store.request(wanted, unending);
  expect(asked).toEqual([{ ...wanted, id: expect.any(String) }]);
  reply({ id: "somebody else's" });
  const content = { id: asked[0]?.id, n_k: 5 };
  reply(content);
  expect(await answer).toEqual({ content, buffers: [] });
});

test("an error of Python's ends the question", async () => {
  const { store, asked, reply } = opened();
  const answer = ending(store.request(LINES, unending));
  reply({ id: asked[0]?.id, error: "no layer 2" });
  await settled();
  expect(answer.error).toEqual(new Error("no layer 2"));
});

test.each<[string, FakeOptions]>([
  ["a model that is not connected", { commLive: false }],
  ["a layout that is not connected", { layout: { comm_live: false } }],
  ["a manager without a kernel", { manager: { kernel: null } }],
  ["a kernel that ended", { layout: { comm_live: true }, manager: { kernel: { status: "dead" } } }],
])("%s: nothing is asked, and the answer is that it is not saved", async (_, options) => {
  const { store, asked } = opened(null, options);
  expect(store.live).toBe(false);
  const answer = ending(store.request(LINES, unending));
  await settled();
  expect(answer.error).toBeInstanceOf(NotSaved);
  expect(String(answer.error)).toContain("not saved here: it needs a running kernel");
  expect(asked).toEqual([]);
});

test.each<[string, FakeOptions]>([
  ["says nothing of its kernel", {}],
  ["is connected", { layout: { comm_live: true }, manager: { kernel: { status: "busy" } } }],
])("a host that %s is asked", (_, options) => {
  const { store, asked } = opened(null, options);
  void store.request(LINES, unending);
  expect([store.live, asked.length]).toEqual([true, 1]);
});

test("a message that cannot be sent ends the question, and says why", async () => {
  const cannot = new Error("Cannot send");
  const send = () => {
    throw cannot;
  };
  const { store } = opened(null, { send });
  const answer = ending(store.request(LINES, unending));
  await settled();
  expect(answer.error).toBeInstanceOf(NotSaved);
  expect((answer.error as Error).cause).toBe(cannot);
});

test("an abort ends the question: what comes later is nobody's", async () => {
  const { store, asked, reply, handlers } = opened();
  const life = new AbortController();
  const answer = ending(store.request(LINES, life.signal));
  life.abort();
  await settled();
  expect(answer.error).toMatchObject({ name: "AbortError" });
  reply({ id: asked[0]?.id });
  expect(handlers.get("msg:custom")?.size).toBe(0);
});

test("nothing is asked for a view that has ended already", async () => {
  const { store, asked } = opened();
  const answer = ending(store.request(LINES, AbortSignal.abort()));
  await settled();
  expect(answer.error).toMatchObject({ name: "AbortError" });
  expect(asked).toEqual([]);
});

test("a busy kernel is late after 3 s and no failure: its answer is taken", async () => {
  const { store, asked, reply } = opened();
  const answer = ending(store.request(LINES, unending));
  await vi.advanceTimersByTimeAsync(2900);
  expect(store.late).toBe(false);
  await vi.advanceTimersByTimeAsync(100);
  expect([store.late, answer.error]).toEqual([true, undefined]);
  await vi.advanceTimersByTimeAsync(60_000);
  reply({ id: asked[0]?.id, n_k: 5 });
  await settled();
  expect(answer.value).toMatchObject({ content: { n_k: 5 } });
  expect(store.late).toBe(false);
});

test("a kernel that restarts while it is asked ends the question at once", async () => {
  const layout = { comm_live: true };
  const { store, fire } = opened(null, { layout });
  const answer = ending(store.request(LINES, unending));
  fire("comm_live_update"); // of the widget: its layout is told after it
  layout.comm_live = false;
  await settled();
  expect(answer.error).toBeInstanceOf(NotSaved);
});

test("a kernel that ends without a word is found out while it is waited for", async () => {
  const manager = { kernel: { status: "busy" } };
  const { store } = opened(null, { manager });
  const answer = ending(store.request(LINES, unending));
  await vi.advanceTimersByTimeAsync(4000);
  expect(answer.error).toBeUndefined();
  manager.kernel.status = "dead";
  await vi.advanceTimersByTimeAsync(3000);
  expect(answer.error).toBeInstanceOf(NotSaved);
});
