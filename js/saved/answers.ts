/** The answers to the questions of views, as Python's `answers` makes them: the grid of heads, the lines of a layer. */
import { NAMES, statistics, withoutFirstKey } from "../maths/statistics";
import type { LayerInfo } from "../wire/schema";
import type { Answer } from "../wire/transport";
import type { Session } from "./session";

/** A thumbnail has at most this many pixels on a side, each the largest weight of its cells. */
const SIDE = 128;
const STEPS = 65535;

interface Map_ {
  weights: Float32Array;
  nQ: number;
  nK: number;
}

interface Asked {
  stack: string;
  tokens: readonly string[];
  keys: number;
  layers: readonly LayerInfo[];
}

/** The weights of a layer, head by head; null for a head that this page does not have. */
function mapsOf(
  session: Session,
  stack: string,
  layer: LayerInfo,
  isShown: boolean,
): (Map_ | null)[] {
  return Array.from({ length: layer.n_heads }, (_, head) => {
    const place = { stack, layer: layer.index, head };
    if (!session.heads.has(place)) return null;
    // The heads of a sentence share the mask; the mask of a model's head is of this head alone.
    const isTogether = session.heads.at(place).stacked > 1;
    const { attention, n, nK } = isShown && isTogether ? session.flow() : session.ofModel(place);
    const at = isTogether ? head * n * nK : 0;
    let weights = attention.subarray(at, at + n * nK);
    const report = isShown && isTogether ? session.report() : null;
    if (report?.kind === "mistake" && report.weights) {
      const { buffer, byteOffset } = report.weights.data as DataView;
      weights = new Float32Array(buffer as ArrayBuffer, byteOffset + 4 * at, n * nK);
    }
    return { weights, nQ: n, nK };
  });
}

/** The map without the column of a sink. */
function withoutSink({ weights, nQ, nK }: Map_, keys: number): Map_ {
  if (nK <= keys) return { weights, nQ, nK };
  const rows = Array.from({ length: nQ }, (_, q) => weights.subarray(q * nK, q * nK + keys));
  return { weights: Float32Array.from(rows.flatMap((row) => [...row])), nQ, nK: keys };
}

function thumbnail({ weights, nQ, nK }: Map_): {
  pixels: Uint8Array;
  peak: number;
  size: number[];
} {
  const [rows, cols] = [Math.min(nQ, SIDE), Math.min(nK, SIDE)];
  const small = new Float32Array(rows * cols);
  const at = (i: number, n: number, side: number) => (n > SIDE ? Math.floor((i * side) / n) : i);
  // Of n cells, SIDE blocks begin at floor(i · n / SIDE).
  const startOf = (i: number, n: number) => Math.floor((i * n) / SIDE);
  const block = (i: number, n: number) => {
    if (n <= SIDE) return i;
    let b = at(i, n, SIDE);
    while (b + 1 < SIDE && startOf(b + 1, n) <= i) b++;
    return b;
  };
  for (let q = 0; q < nQ; q++) {
    for (let k = 0; k < nK; k++) {
      const cell = block(q, nQ) * cols + block(k, nK);
      small[cell] = Math.max(small[cell], weights[q * nK + k]);
    }
  }
  const peak = small.reduce((a, b) => Math.max(a, b), 0);
  const pixels = Uint8Array.from(small, (weight) =>
    peak > 0 ? Math.round(255 * Math.sqrt(weight / peak)) : 0,
  );
  return { pixels, peak, size: [rows, cols] };
}

export function gridAnswer(session: Session, asked: Asked): Answer {
  const { stack, tokens, keys, layers } = asked;
  const isShown = session.place.stack === stack;
  const heads = Math.max(...layers.map((layer) => layer.n_heads));
  const maps = layers.map((layer) =>
    mapsOf(session, stack, layer, isShown).map((map) => map && withoutSink(map, keys)),
  );
  const thumbs = maps.map((row) => row.map((map) => map && thumbnail(map)));
  const sizes = thumbs.flat().flatMap((thumb) => (thumb ? [thumb.size] : []));
  const [rows, cols] = [0, 1].map((axis) => Math.max(...sizes.map((size) => size[axis])));
  const pixels = new Uint8Array(layers.length * heads * rows * cols);
  thumbs.forEach((row, l) => {
    row.forEach((thumb, h) => {
      if (!thumb) return;
      const start = (l * heads + h) * rows * cols;
      for (let r = 0; r < thumb.size[0]; r++) {
        const [from, width] = [r * thumb.size[1], thumb.size[1]];
        pixels.set(thumb.pixels.subarray(from, from + width), start + r * cols);
      }
    });
  });
  const numbers = (isWhole: boolean) => {
    const values = maps.map((row) =>
      row.map((map) => {
        if (!map) return {} as Record<string, number | null>;
        const { weights, nQ, nK } = map;
        const of = statistics(isWhole ? weights : withoutFirstKey(weights, nQ, nK), tokens, nK);
        return isWhole ? of : { ...of, "first-token": null };
      }),
    );
    return Object.fromEntries(
      NAMES.map((name) => [name, values.map((row) => row.map((of) => of[name] ?? null))]),
    );
  };
  const content = {
    ...{ layers: layers.map((layer) => layer.index), first: 0, parts: 1 },
    shape: [layers.length, heads, rows, cols],
    peaks: thumbs.map((row) => row.map((thumb) => thumb?.peak ?? null)),
    ...{ statistics: numbers(true), without_sink: numbers(false) },
  };
  return { content, buffers: [new DataView(pixels.buffer)] };
}

export function linesAnswer(session: Session, stack: string, layer: LayerInfo): Answer {
  const maps = mapsOf(session, stack, layer, false);
  const first = maps.find((map) => map !== null) as Map_;
  const { nQ, nK } = first;
  const size = nQ * nK;
  const all = maps.map((map) => map?.weights ?? new Float32Array(size));
  const peak = all.reduce((top, map) => map.reduce((a, b) => Math.max(a, b), top), 0) || 1;
  const steps = new Uint16Array(all.length * size);
  all.forEach((map, h) => {
    steps.set(
      map.map((weight) => Math.round((weight * STEPS) / peak)),
      h * size,
    );
  });
  const rest = new Float32Array(all.length * nQ);
  const content = { shape: [all.length, nQ, nK], n_k: nK, peak, layer: layer.index };
  return { content, buffers: [new DataView(steps.buffer), new DataView(rest.buffer)] };
}
