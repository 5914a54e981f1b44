/** The heads of the grid from the messages of Python, and the choice of heads that are shown. */
import { largest } from "../../maths/extent";

type Numbers = Record<string, number | null>;

export interface Head {
  layer: number;
  head: number;
  /** The largest weight. */
  peak: number;
  rows: number;
  cols: number;
  /** The thumbnail, a byte for each cell. */
  map: Uint8Array;
  /** The statistics by name. */
  statistics: Numbers;
  /** The statistics by name, computed without the first key. */
  withoutSink: Numbers;
}

type Values = Record<string, (number | null)[][]>;

export interface Message {
  layers: number[];
  /** The index of the first head that the message has of each layer. */
  first: number;
  /** How many parts the grid has. */
  parts: number;
  shape: [number, number, number, number];
  peaks: (number | null)[][];
  statistics: Values;
  without_sink: Values;
}

/** The heads of a message, in the order of the model. */
export function readHeads(message: Message, buffer: DataView): Head[] {
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
  /** The order of the model, or the order of the statistic with the largest first. */
  order: "layer" | "statistic";
  statistic: string;
  /** Whether the statistics include the first key. */
  sink: boolean;
  /** Heads below this share of the largest value are left out. */
  threshold: number;
}

export function select(
  all: readonly Head[],
  { order, statistic, sink, threshold }: Choice,
): Head[] {
  const value = (head: Head) => statisticOf(head, statistic, sink);
  const least = threshold * largest(all.map((head) => value(head) ?? 0));
  const heads = all.filter((head) => threshold === 0 || (value(head) ?? -1) >= least);
  if (order === "layer") return heads;
  return heads.sort((a, b) => (value(b) ?? -1) - (value(a) ?? -1));
}

/** The number of layers of which all heads have arrived. */
export function completeLayers(
  all: readonly Head[],
  layers: readonly { index: number; n_heads: number }[],
): number {
  const counts = new Map<number, number>();
  for (const { layer } of all) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  return layers.filter(({ index, n_heads }) => counts.get(index) === n_heads).length;
}
