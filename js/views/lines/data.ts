/** The weights that the lines show: the weights of all heads of a layer. */
import type { Matrix } from "../../wire/codec";

export interface LineData {
  heads: number;
  nQ: number;
  nK: number;
  /** The number of queries that have lines. */
  queries: number;
  /** Call `visit` for each key of a query whose weight the page has. */
  each(head: number, query: number, visit: (key: number, weight: number) => void): void;
  /** The sum of the weights of a row that the page does not have. */
  rest(head: number, query: number): number;
}

interface Message {
  shape: [number, number, number];
  n_k: number;
  /** The largest weight, which is 65535 on the wire. */
  peak: number;
  /** The bytes of the index of a key: 4 where 2 are too few. */
  key_bytes?: 2 | 4;
}

/** The weights of a message from Python: the strongest keys of every query, or all keys. */
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
    queries: nQ,
    each(head, query, visit) {
      const start = (head * nQ + query) * k;
      for (let i = 0; i < k; i++) {
        visit(keys ? keys[start + i] : i, steps[start + i] * step);
      }
    },
    rest: (head, query) => rest[head * nQ + query],
  };
}

/** The weights of maps that the page has. */
export function fromMatrices(maps: readonly Matrix[]): LineData {
  const { rows, cols } = maps[0];
  return {
    heads: maps.length,
    nQ: rows,
    nK: cols,
    queries: rows,
    each(head, query, visit) {
      const { data } = maps[head];
      for (let k = 0; k < cols; k++) visit(k, data[query * cols + k]);
    },
    rest: () => 0,
  };
}

/** The same weights with another map for one head, because the page has the edits of the shown head. */
export function withHead(data: LineData, head: number, map: Matrix): LineData {
  const shownHead = fromMatrices([map]);
  return {
    ...data,
    each: (h, q, visit) => (h === head ? shownHead.each(0, q, visit) : data.each(h, q, visit)),
    rest: (h, q) => (h === head ? 0 : data.rest(h, q)),
  };
}

/** Only the lines from one sentence ("A" or "B") to another; sentence B begins at token `start`. */
export function between(data: LineData, from: string, to: string, start: number): LineData {
  const isIn = (sentence: string, i: number) => (i < start ? "A" : "B") === sentence;
  return {
    ...data,
    queries: from === "A" ? start : data.nQ - start,
    each(head, query, visit) {
      if (!isIn(from, query)) return;
      data.each(head, query, (key, weight) => isIn(to, key) && visit(key, weight));
    },
    rest: (head, query) => (isIn(from, query) ? data.rest(head, query) : 0),
  };
}

/** The mean weight that each key gets over queries and heads; `rest` is the mean of the weight that the page does not have. */
export function received(
  data: LineData,
  heads: readonly number[],
  queries: ReadonlySet<number>,
): { means: Float64Array; rest: number } {
  const means = new Float64Array(data.nK);
  const rows = Math.max(1, heads.length * queries.size);
  let rest = 0;
  for (const q of queries) {
    for (const h of heads) {
      data.each(h, q, (k, w) => {
        means[k] += w / rows;
      });
      rest += data.rest(h, q) / rows;
    }
  }
  return { means, rest };
}

/** The colour of a head; heads differ in hue. */
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
