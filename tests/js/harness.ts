/** Pages for a test in Python: each is a store on a model of its own, driven by lines of JSON. */
import { ARRAYS } from "../../js/state/mirror";
import { createStore } from "../../js/state/store";
import type { Editable, Packed, Traits } from "../../js/wire/schema";
import { fakeModel, unending } from "./model";

type Line =
  | { type: "open" | "receive"; page: string; state: Record<string, unknown> }
  | { type: "act"; page: string; name: string; with: unknown[] };

const pages = new Map<string, ReturnType<typeof open>>();

function open(state: Record<string, unknown>) {
  const fake = fakeModel(read(state) as Partial<Traits>);
  return { fake, store: createStore(fake.model, unending) };
}

/** Arrays come with their bytes in base64. */
function read(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(read);
  if (value === null || typeof value !== "object") return value;
  const { data, dtype, shape } = value as { data: string } & Pick<Packed, "dtype" | "shape">;
  if (dtype) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    return { data: new DataView(bytes.buffer), dtype, shape };
  }
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, read(part)]));
}

function base64(values: ArrayBufferView | null): string | null {
  if (!values) return null;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return btoa(String.fromCharCode(...bytes));
}

/** Do what a line says; what the page then shows and has sent. */
export async function handle(line: string): Promise<string> {
  const message = JSON.parse(line) as Line;
  if (message.type === "open") pages.set(message.page, open(message.state));
  const { fake, store } = pages.get(message.page) as ReturnType<typeof open>;
  if (message.type === "receive") await fake.receive(read(message.state) as Partial<Traits>);
  if (message.type === "act") {
    const acts: Record<string, (...args: never[]) => unknown> = {
      ...(store as unknown as Record<string, (...args: never[]) => unknown>),
      paint: (cells: number[], masked: boolean) => store.paint(cells, masked, store.stroke()),
      /** Drag a number over two values, and let it go or not. */
      drag(name: Editable, at: [number, number], values: number[], isKept: boolean) {
        for (const value of values) store.draft(name, ...at, value);
        if (isKept) store.settle();
        else store.abandon();
      },
    };
    acts[message.name]?.(...(message.with as never[]));
  }
  const shown = ARRAYS.map((name) => [name, bytesOf(store, name)]);
  return JSON.stringify({
    shown: Object.fromEntries(shown),
    confirmed: Object.fromEntries(
      ARRAYS.map((name) => [name, base64((store.get(name)?.data as DataView | undefined) ?? null)]),
    ),
    ...{ revision: store.get("revision"), pending: store.pending, presets: store.presets },
    ...{ scale: store.get("scale"), temperature: store.get("temperature") },
    ...{ sent: fake.sent.splice(0), asked: fake.asked.splice(0) },
  });
}

/** The bytes of an array as it is shown: those of all its heads. */
function bytesOf(store: ReturnType<typeof createStore>, name: (typeof ARRAYS)[number]) {
  if (name === "mask") return base64(store.mask);
  if (name === "locked") return base64(store.locked);
  const heads = store.get(name)?.shape.length === 3 ? (store.get(name) as Packed).shape[0] : 1;
  const parts = Array.from(
    { length: heads as number },
    (_, head) => store.matrix(name, head)?.data,
  );
  if (!parts[0]) return null;
  return base64(Float32Array.from(parts.flatMap((part) => [...(part as Float32Array)])));
}
