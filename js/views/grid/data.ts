/** The grid's numbers as they come from Python, and which heads are shown in which order: pure. */

export interface Head {
  /** Where its map lies among all. */
  at: number;
  layer: number;
  head: number;
  /** Its largest weight. */
  peak: number;
}

type Values = Record<string, (number | null)[][]>;

export interface GridData {
  layers: number[];
  heads: number;
  rows: number;
  cols: number;
  maps: Uint8Array;
  all: Head[];
  statistics: Values;
  value(head: Head, statistic: string, sink: boolean): number | null;
}

interface Message {
  layers: number[];
  shape: [number, number, number, number];
  peaks: (number | null)[][];
  statistics: Values;
  without_sink: Values;
}

export function read(message: Message, buffer: DataView): GridData {
  const [, heads, rows, cols] = message.shape;
  const all = message.layers.flatMap((layer, l) =>
    (message.peaks[l] ?? []).flatMap((peak, head) =>
      peak === null ? [] : [{ at: l * heads + head, layer, head, peak }],
    ),
  );
  return {
    layers: message.layers,
    heads,
    rows,
    cols,
    maps: new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength),
    all,
    statistics: message.statistics,
    value: ({ at }, statistic, sink) =>
      (sink ? message.statistics : message.without_sink)[statistic]?.[Math.floor(at / heads)]?.[
        at % heads
      ] ?? null,
  };
}

export interface Choice {
  /** In the model's own order, or by the statistic, largest first. */
  order: "layer" | "statistic";
  statistic: string;
  sink: boolean;
  /** Heads below this share of the largest value are left out. */
  least: number;
}

export function select(data: GridData, { order, statistic, sink, least }: Choice): Head[] {
  const value = (head: Head) => data.value(head, statistic, sink);
  const most = Math.max(0, ...data.all.map((head) => value(head) ?? 0));
  const kept = data.all.filter((head) => least === 0 || (value(head) ?? -1) >= least * most);
  if (order === "layer") return kept;
  return [...kept].sort((a, b) => (value(b) ?? -1) - (value(a) ?? -1));
}
