/** The weights that lines are drawn from: all of a layer's heads, by query. Pure. */
import type { Matrix } from "../../wire/codec";

export interface LineData {
  heads: number;
  nQ: number;
  nK: number;
  /** Calls back for each key of a query that is known, with its weight. */
  each(head: number, query: number, visit: (key: number, weight: number) => void): void;
  /** What a row holds beyond those keys. */
  rest(head: number, query: number): number;
}

interface Message {
  shape: [number, number, number];
  n_k: number;
  /** The largest weight: 65535 on the wire. */
  peak: number;
  /** Bytes of a key's number: 4 where there are more keys than two bytes count. */
  key_bytes?: 2 | 4;
}

/** The strongest keys of every query, or all of them, as Python sends them. */
export function fromMessage(message: Message, buffers: readonly DataView[]): LineData {
  const [heads, nQ, k] = message.shape;
  const bytes = (i: number) => {
    const view = buffers[i];
    return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer;
  };
  const steps = new Uint16Array(bytes(0));
  const rest = new Float32Array(bytes(1));
  const Keys = message.key_bytes === 4 ? Uint32Array : Uint16Array;
  const keys = k < message.n_k ? new Keys(bytes(2)) : null;
  const step = message.peak / 65535;
  return {
    heads,
    nQ,
    nK: message.n_k,
    each(head, query, visit) {
      const start = (head * nQ + query) * k;
      for (let i = 0; i < k; i++) {
        visit(keys ? keys[start + i] : i, steps[start + i] * step);
      }
    },
    rest: (head, query) => rest[head * nQ + query],
  };
}

/** Maps that are on the page already. */
export function fromMatrices(maps: readonly Matrix[]): LineData {
  const { rows, cols } = maps[0];
  return {
    heads: maps.length,
    nQ: rows,
    nK: cols,
    each(head, query, visit) {
      const { data } = maps[head];
      for (let k = 0; k < cols; k++) visit(k, data[query * cols + k]);
    },
    rest: () => 0,
  };
}

/** The same with one head's map in place of what the message says: the shown head as it is edited. */
export function withHead(data: LineData, head: number, map: Matrix): LineData {
  const one = fromMatrices([map]);
  return {
    ...data,
    each: (h, q, visit) => (h === head ? one.each(0, q, visit) : data.each(h, q, visit)),
    rest: (h, q) => (h === head ? 0 : data.rest(h, q)),
  };
}

/** The lines from one sentence of a pair to another alone; each is "A" or "B", B from `start` on. */
export function between(data: LineData, from: string, to: string, start: number): LineData {
  const is = (sentence: string, i: number) => (i < start ? "A" : "B") === sentence;
  return {
    ...data,
    each(head, query, visit) {
      if (!is(from, query)) return;
      data.each(head, query, (key, weight) => is(to, key) && visit(key, weight));
    },
    rest: (head, query) => (is(from, query) ? data.rest(head, query) : 0),
  };
}

/** What each key gets from these queries, summed over queries and heads; and what is left over. */
export function received(
  data: LineData,
  heads: readonly number[],
  queries: Iterable<number>,
): { sums: Float64Array; rest: number } {
  const sums = new Float64Array(data.nK);
  let rest = 0;
  for (const q of queries) {
    for (const h of heads) {
      data.each(h, q, (k, w) => {
        sums[k] += w;
      });
      rest += data.rest(h, q);
    }
  }
  return { sums, rest };
}

/** A colour for each head, told apart by hue. */
export function headColor(head: number, dark: boolean): [number, number, number] {
  const hue = (head * 137.508 + 12) % 360;
  return hsl(hue, 0.62, dark ? 0.64 : 0.44);
}

function hsl(hue: number, s: number, l: number): [number, number, number] {
  const a = s * Math.min(l, 1 - l);
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
