/** A stand-in for the anywidget model: traits, what the page sent, and messages of Python's. */
import type { AnyModel } from "@anywidget/types";
import type { ChangeMessage, CommandsMessage, Packed, Traits } from "../../js/wire/schema";

type Rows = readonly (readonly number[])[];

export function pack(rows: Rows, dtype: "float32" | "uint8" = "float32"): Packed {
  const flat = rows.flat();
  const data = dtype === "uint8" ? Uint8Array.from(flat) : Float32Array.from(flat);
  return { data: new DataView(data.buffer), dtype, shape: [rows.length, rows[0]?.length ?? 0] };
}

export const vector = (values: readonly number[], dtype: Packed["dtype"] = "float32"): Packed => {
  const Kind = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array }[dtype];
  return { data: new DataView(Kind.from(values).buffer), dtype, shape: [values.length] };
};

/** Two queries, three keys, a value two wide: softmax of ln 1, ln 2, ln 3 and ln 1, ln 4, ln 9. */
export const Q: Rows = [[1], [2]];
export const K: Rows = [[0], [Math.log(2)], [Math.log(3)]];
export const V: Rows = [
  [3, 4],
  [0, 0],
  [-5, 12],
];

/** The weights of both queries in closed form, with these cells masked. */
export function weightsOf(masked: readonly (readonly [number, number])[] = []): number[][] {
  return [
    [1, 2, 3],
    [1, 4, 9],
  ].map((parts, q) => {
    const open = parts.map((part, k) => (masked.some(([r, c]) => r === q && c === k) ? 0 : part));
    const sum = open.reduce((a, b) => a + b, 0);
    return open.map((part) => (sum ? part / sum : 0));
  });
}

export const outputOf = (weights: Rows): number[][] =>
  weights.map((row) => [0, 1].map((c) => row.reduce((s, p, k) => s + p * V[k][c], 0)));

export const maskOf = (masked: readonly (readonly [number, number])[] = []): Packed =>
  pack(
    [0, 1].map((q) => [0, 1, 2].map((k) => Number(masked.some(([r, c]) => r === q && c === k)))),
    "uint8",
  );

/** The arrays of the state with these cells masked, as Python sends them whole. */
export function arraysOf(masked: readonly (readonly [number, number])[] = []) {
  const weights = weightsOf(masked);
  return {
    mask: maskOf(masked),
    attention: pack(weights),
    output: pack(outputOf(weights)),
  };
}

/** Python's answer: these rows, with these cells masked. */
export function changeOf(
  acks: Record<string, number>,
  by: string,
  rows: readonly number[],
  masked: readonly (readonly [number, number])[],
): ChangeMessage {
  const weights = weightsOf(masked);
  const pick = <T>(all: readonly T[]) => rows.map((row) => all[row] as T);
  const bits = [0, 1].map((q) =>
    [0, 1, 2].map((k) => Number(masked.some(([r, c]) => r === q && c === k))),
  );
  return {
    ...{ from: null, revision: 1, acks, refused: {} },
    by,
    rows: vector(rows, "int32"),
    mask: pack(pick(bits), "uint8"),
    attention: pack(pick(weights)),
    output: pack(pick(outputOf(weights))),
  };
}

export function traitsOf(): Traits {
  return {
    ...{ tokens: ["a", "b"], key_tokens: ["x", "y", "z"], special: [], sentence_b_start: null },
    ...{ embeddings: null, key_embeddings: null, W_q: null, W_k: null, W_v: null },
    ...{ Q: pack(Q), K: pack(K), V: pack(V), bias: null, softcap: null, locked: null },
    ...arraysOf(),
    scores: pack(Q.map(([q]) => K.map(([k]) => q! * k!))),
    ...{ row_mass: null, output_norms: null, scale: 1, temperature: 1, positional: null },
    ...{ d_model: null, d_k: null, d_v: null, n_heads: null, seed: null, init: null },
    ...{ given: [], replaced: [], overridden: {}, presets: {}, layers: [], derived_layers: [] },
    ...{
      merge: null,
      hide_special: null,
      stack: "cross",
      layer: 0,
      head: 0,
      shown: [0, 0, "cross"],
    },
    ...{ knockouts: [], effect: null, run_state: null, runs: [] },
    ...{ shown_run: "after", effect_position: null },
    ...{ view: "heatmap", cmap: "viridis", color_scale: "auto", quantity: "attention" },
    ...{
      mistake: null,
      report: null,
      selection: null,
      heads_on: null,
      bertviz_views: [],
      title: "",
      subtitle: "",
    },
    ...{ grid_order: "layer", grid_statistic: "entropy" },
    ...{ notice: "", error: "", revision: 1, history: [0, 0], generation: null },
    ...{ input_text: null, checkpoint: null, checkpoints: [] },
    ...{ _commands: { client: "", commands: [] }, _change: null, _early_answer: null },
  };
}

/** Whether two traits have the same values and bytes. */
function isSame(a: unknown, b: unknown): boolean {
  const bytes = (_: string, value: unknown) =>
    value instanceof DataView ? [...new Uint8Array(value.buffer)] : value;
  return JSON.stringify(a, bytes) === JSON.stringify(b, bytes);
}

/** The signal of a page that stays open. */
export const unending = {
  addEventListener() {},
  removeEventListener() {},
} as unknown as AbortSignal;

export interface FakeOptions {
  /** What a host says of its kernel; absent where it says nothing. */
  commLive?: boolean;
  /** The widget's layout, a model of ipywidgets' own. */
  layout?: { comm_live: boolean };
  /** The host's manager of widgets. */
  manager?: { kernel: { status: string; [name: string]: unknown } | null };
  send?: (content: Record<string, unknown>) => void;
}

export function fakeModel(more: Partial<Traits> = {}, options: FakeOptions = {}) {
  const { commLive, layout, manager } = options;
  const traits: Record<string, unknown> = { ...traitsOf(), ...more, layout };
  const handlers = new Map<string, Set<(...args: never[]) => void>>();
  const sent: Record<string, unknown>[] = [];
  const asked: Record<string, unknown>[] = [];
  let waiting: Record<string, unknown> = {};
  const fire = (event: string, ...args: unknown[]) => {
    for (const handler of [...(handlers.get(event) ?? [])]) handler(...(args as never[]));
  };
  const model = {
    ...(commLive !== undefined && { comm_live: commLive }),
    ...(manager && { widget_manager: manager }),
    get: (name: string) => traits[name],
    set(name: string, value: unknown) {
      const other = traits[name] !== value;
      traits[name] = waiting[name] = value;
      if (other) fire(`change:${name}`);
    },
    save_changes() {
      // What goes up is what the traits are now: later changes of the page are not in it.
      sent.push(structuredClone(waiting));
      waiting = {};
    },
    send(content: Record<string, unknown>) {
      asked.push(content);
      options.send?.(content);
    },
    on: (event: string, handler: () => void) =>
      handlers.set(event, (handlers.get(event) ?? new Set()).add(handler)),
    off: (event: string, handler: () => void) => handlers.get(event)?.delete(handler),
  };
  return {
    model: model as unknown as AnyModel<Traits>,
    sent,
    asked,
    fire,
    handlers,
    /** The commands of the last message that went up. */
    get commands() {
      const last = sent.filter((message) => message._commands).at(-1);
      return (last?._commands as CommandsMessage | undefined)?.commands ?? [];
    },
    /** A message of Python's, as Jupyter's model takes it: set, then told of where it is other. */
    async receive(message: Partial<Traits>) {
      const others = Object.entries(message).filter(
        ([name, value]) => !isSame(traits[name], value),
      );
      Object.assign(traits, Object.fromEntries(others));
      for (const [name] of others) fire(`change:${name}`);
      await Promise.resolve();
    },
    /** Python's answer to a question. */
    reply: (content: object, buffers: DataView[] = []) => fire("msg:custom", content, buffers),
  };
}
