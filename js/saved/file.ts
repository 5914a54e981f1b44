/** The state that a saved page carries: numbers and words as JSON, arrays as bytes in base64. */
import type { LayerInfo, Packed, Presets, Traits } from "../wire/schema";

/** An array in a chunk of bytes. An array of uint16 has steps between its least and its largest number. */
export interface Placed {
  chunk: number;
  at: number;
  dtype: Packed["dtype"] | "uint16";
  shape: number[];
  low?: number;
  step?: number;
}

/** The inputs of the map of a head; a sentence has all its heads in one of these. */
export interface SavedHead {
  layer: number;
  head: number;
  arrays: Partial<Record<HeadArray, Placed>>;
  softcap: number | null;
  scale: number;
  temperature: number;
  /** The notice of the head, and the notice after an edit, as places in `notices`. */
  notices: [number, number];
}
export type HeadArray =
  | "Q" | "K" | "V" | "bias" | "locked" | "row_mass" | "weights" | "output_norms"; // biome-ignore format: a table

/** A stack: its tokens, its mask by hand and by presets, its heads. */
export interface SavedStack {
  stack: string;
  traits: Partial<Traits>;
  own: Placed;
  /** How many keys there are without the column of a sink. */
  keys: number;
  presets: Presets;
  heads: SavedHead[];
}

/** The words about a mistake, by which the page makes its report. */
export interface MistakeWords {
  name: string;
  what: string;
  /** What breaks, and the remedy. */
  rest: string;
  step: "scores" | "mask" | "attention" | "";
  wrong: string;
  right: string;
}

export interface SavedFile {
  format: 1;
  /** Traits that are the same for every head; an array is `Placed`. */
  traits: Record<string, unknown>;
  layers: LayerInfo[];
  stacks: SavedStack[];
  /** The numbers of the beginning, where they differ from those that were saved; null where reset needs Python. */
  original: Record<string, Placed> | null;
  mistakes: MistakeWords[];
  notices: string[];
  chunks: { isPacked: boolean; data: string }[];
  css: string;
}

export type Values = Float32Array | Int32Array | Uint8Array;

const KINDS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, uint16: Uint16Array };

async function bytesOf(
  { isPacked, data }: SavedFile["chunks"][number],
  most: number,
): Promise<ArrayBuffer> {
  const letters = atob(data);
  // A loop, because `Uint8Array.from` calls a function for each of up to a million letters.
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  if (!isPacked) return bytes.buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream.pipeThrough(limited(most))).arrayBuffer();
}

/** The bytes of an unpacked chunk: a small file must not fill the memory of the browser. */
const LARGEST = 2 ** 29;

function limited(most: number) {
  let size = 0;
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(part, controller) {
      size += part.byteLength;
      if (size > most) throw new RangeError("an array of this page is too large");
      controller.enqueue(part);
    },
  });
}

export type ReadArray = (placed: Placed) => Values;

/** Unpack the chunks, each of at most `most` bytes; return a function that reads an array from them. */
export async function readChunks({ chunks }: SavedFile, most = LARGEST): Promise<ReadArray> {
  const buffers = await Promise.all(chunks.map((chunk) => bytesOf(chunk, most)));
  return ({ chunk, at, dtype, shape, low = 0, step = 1 }) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const Kind = KINDS[dtype];
    const end = at + length * Kind?.BYTES_PER_ELEMENT;
    // Also false where a number is missing. Nothing is allocated before the bytes are known to be there.
    if (!(at >= 0 && end >= at && end <= buffers[chunk]?.byteLength)) {
      throw new RangeError("an array of this page is not whole");
    }
    // A copy: an array in the middle of a chunk need not be aligned, and the numbers may be edited.
    const part = new Kind(buffers[chunk].slice(at, end));
    if (!(part instanceof Uint16Array)) return part;
    const numbers = new Float32Array(length);
    for (let i = 0; i < length; i++) numbers[i] = low + part[i] * step;
    return numbers;
  };
}

/** An array as the wire has it. */
export function packed(values: Values, shape: readonly number[]): Packed {
  const { buffer, byteOffset, byteLength } = values;
  const dtype = values instanceof Uint8Array ? "uint8" : "float32";
  const data = new DataView(buffer as ArrayBuffer, byteOffset, byteLength);
  return { data, dtype: values instanceof Int32Array ? "int32" : dtype, shape: [...shape] };
}

/** A copy of a saved value, with its arrays as the wire has them. */
export function revive(value: unknown, read: ReadArray): unknown {
  if (Array.isArray(value)) return value.map((part) => revive(part, read));
  if (value === null || typeof value !== "object") return value;
  const placed = value as Placed;
  if (placed.dtype && placed.shape) return packed(read(placed), placed.shape);
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, revive(part, read)]),
  );
}
