/** What a view asks Python for: from the state where it came with it, else by a message. */
import type { AnyModel } from "@anywidget/types";
import { expect, test } from "vitest";
import { createStore } from "../../js/store";
import type { Traits } from "../../js/types";

const signal = { addEventListener() {} } as unknown as AbortSignal;
const LINES = { type: "lines", layer: 2, kind: "decoder" };

function opened(ahead: Traits["_ahead"]) {
  const sent: Record<string, unknown>[] = [];
  const heard: ((reply: object, buffers: DataView[]) => void)[] = [];
  const traits: Partial<Traits> = { _ahead: ahead, layers: [], history: [0, 0] };
  const model = {
    get: (name: keyof Traits) => traits[name],
    on: (event: string, handler: never) => event === "msg:custom" && heard.push(handler),
    off() {},
    send: (content: Record<string, unknown>) => sent.push(content),
  } as unknown as AnyModel<Traits>;
  return { store: createStore(model, signal), sent, heard };
}

test("an answer that came with the state is not asked for", async () => {
  const buffers = [new DataView(new ArrayBuffer(3))];
  const { store, sent } = opened({ asked: LINES, answer: { n_k: 7 }, buffers });
  expect(await store.request(LINES, signal)).toEqual({ content: { n_k: 7 }, buffers });
  expect(sent).toEqual([]);
});

test.each([
  ["another layer", { ...LINES, layer: 3 }, { asked: LINES, answer: {}, buffers: [] }],
  ["another stack", { ...LINES, kind: "cross" }, { asked: LINES, answer: {}, buffers: [] }],
  ["nothing came", LINES, null],
])("%s is asked for", async (_, wanted, ahead) => {
  const { store, sent, heard } = opened(ahead);
  const answer = store.request(wanted, signal);
  expect(sent).toEqual([{ ...wanted, id: expect.any(String) }]);
  heard[0]?.({ id: "somebody else's" }, []);
  const reply = { id: sent[0]?.id, n_k: 5 };
  heard[0]?.(reply, []);
  expect(await answer).toEqual({ content: reply, buffers: [] });
});
