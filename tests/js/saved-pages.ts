/** Saved pages for a test in Python: each is a store on the page's own authority, driven by lines of JSON. */
import type { SavedFile } from "../../js/saved/file";
import { createSavedModel } from "../../js/saved/model";
import { ARRAYS } from "../../js/state/mirror";
import { createStore, type Store } from "../../js/state/store";
import type { Editable, Packed, Report, Traits } from "../../js/wire/schema";
import { unending } from "./model";

type Line = { page: string; state?: SavedFile; name?: string; with?: unknown[] };
type Page = Awaited<ReturnType<typeof open>>;

const pages = new Map<string, Page>();

async function open(file: SavedFile) {
  const model = await createSavedModel(file);
  /** What the page sets between two saves, as a host would send it to Python. */
  let sent: Record<string, unknown> = {};
  const recording = {
    ...model,
    set(name: keyof Traits, value: never) {
      sent[name] = value;
      model.set(name, value);
    },
  };
  const store = createStore(recording as never, unending);
  const take = () => {
    const message = sent;
    sent = {};
    return message;
  };
  return { model, store, take };
}

const base64 = (packed: Packed | null) => {
  if (!packed) return null;
  const { buffer, byteOffset, byteLength } = packed.data as DataView;
  return btoa(String.fromCharCode(...new Uint8Array(buffer, byteOffset, byteLength)));
};

const act = (store: Store, name: string, args: unknown[]) => {
  const acts: Record<string, (...args: never[]) => unknown> = {
    ...(store as unknown as Record<string, (...args: never[]) => unknown>),
    paint: (cells: number[], masked: boolean) => store.paint(cells, masked, store.stroke()),
    drag(name: Editable, at: [number, number], value: number) {
      store.draft(name, ...at, value);
      store.settle();
    },
  };
  return acts[name](...(args as never[]));
};

/** The answer to a question of a view. */
async function ask(store: Store, question: object) {
  const { content, buffers } = await store.request(question, new AbortController().signal);
  const bytes = buffers.map((data) => base64({ data, dtype: "uint8", shape: [] }));
  return { content, buffers: bytes };
}

/** Do what a line says; what the page then shows, and what it has sent. */
export async function handle(line: string): Promise<string> {
  const { page, state, name, with: args = [] } = JSON.parse(line) as Line;
  if (state) pages.set(page, await open(state));
  const { store, model, take } = pages.get(page) as Page;
  if (name === "question") return JSON.stringify(await ask(store, args[0] as object));
  if (name) act(store, name, args);
  await new Promise((done) => setTimeout(done));
  const plain = ["tokens", "key_tokens", "scale", "temperature", "presets", "history", "revision", "stack", "layer",
    "head", "shown", "mistake", "overridden", "notice", "error", "view", "quantity", "selection"] as const; // biome-ignore format: a table
  const report = store.get("report") as Report | null;
  const maps = ["got", "expected", "scores", "weights", "mask"] as const;
  return JSON.stringify({
    arrays: Object.fromEntries(ARRAYS.map((array) => [array, base64(model.get(array))])),
    plain: Object.fromEntries(plain.map((each) => [each, store.get(each)])),
    report: report && {
      ...report,
      ...Object.fromEntries(maps.map((map) => [map, base64(report[map])])),
    },
    ...{ pending: store.pending, refusal: store.refusal, sent: take() },
    shown: base64(shownOf(store)),
  });
}

const shownOf = (store: Store): Packed => {
  const { data, rows, cols } = store.attention;
  const copy = Float32Array.from(data);
  return { data: new DataView(copy.buffer), dtype: "float32", shape: [rows, cols] };
};
