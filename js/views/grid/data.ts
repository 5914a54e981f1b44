/** The grid's numbers as they come from Python, part by part, and which heads are shown: pure. */
import { largest } from "../../maths/extent";

type Numbers = Record<string, number | null>;

export interface Head {
  layer: number;
  head: number;
  /** Its largest weight. */
  peak: number;
  /** The thumbnail, a byte a cell. */
  rows: number;
  cols: number;
  map: Uint8Array;
  /** What it does, by the statistic's name: with the first key, and without it. */
  statistics: Numbers;
  withoutSink: Numbers;
}

type Values = Record<string, (number | null)[][]>;

export interface Message {
  layers: number[];
  /** The number of the first head of each layer that is in it. */
  first: number;
  /** How many parts the grid has. */
  parts: number;
  shape: [number, number, number, number];
  peaks: (number | null)[][];
  statistics: Values;
  without_sink: Values;
}

/** The heads of one part, in the model's order. */
export function read(message: Message, buffer: DataView): Head[] {
  const [, heads, rows, cols] = message.shape;
  const pick = (values: Values, l: number, h: number): Numbers =>
    Object.fromEntries(Object.entries(values).map(([name, v]) => [name, v[l]?.[h] ?? null]));
  return message.layers.flatMap((layer, l) =>
    (message.peaks[l] ?? []).flatMap((peak, h) => {
      if (peak === null) return [];
      const at = buffer.byteOffset + (l * heads + h) * rows * cols;
      return [
        {
          layer,
          head: message.first + h,
          peak,
          rows,
          cols,
          map: new Uint8Array(buffer.buffer, at, rows * cols),
          statistics: pick(message.statistics, l, h),
          withoutSink: pick(message.without_sink, l, h),
        },
      ];
    }),
  );
}

export const statisticOf = (head: Head, statistic: string, sink: boolean): number | null =>
  (sink ? head.statistics : head.withoutSink)[statistic] ?? null;

export interface Choice {
  /** In the model's own order, or by the statistic, largest first. */
  order: "layer" | "statistic";
  statistic: string;
  sink: boolean;
  /** Heads below this share of the largest value are left out. */
  least: number;
}

export function select(all: readonly Head[], { order, statistic, sink, least }: Choice): Head[] {
  const value = (head: Head) => statisticOf(head, statistic, sink);
  const most = largest(all.map((head) => value(head) ?? 0));
  const kept = all.filter((head) => least === 0 || (value(head) ?? -1) >= least * most);
  if (order === "layer") return kept;
  return [...kept].sort((a, b) => (value(b) ?? -1) - (value(a) ?? -1));
}

/** How many layers have all their heads. */
export function whole(
  all: readonly Head[],
  layers: readonly { index: number; n_heads: number }[],
): number {
  const came = new Map<number, number>();
  for (const { layer } of all) came.set(layer, (came.get(layer) ?? 0) + 1);
  return layers.filter(({ index, n_heads }) => came.get(index) === n_heads).length;
}
