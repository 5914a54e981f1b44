/** Arrays off the wire, as flat typed arrays over the very bytes that the model holds. */
import type { Packed } from "./schema";

export type Flat = Float32Array | Int32Array | Uint8Array;

const KINDS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;

/**
 * Decode without copying. A buffer that is not aligned for its type is copied once, and the copy
 * put back into `packed`, so that writing into the result always writes into the model's state.
 */
export function decode(packed: Packed): Flat {
  const Kind = KINDS[packed.dtype];
  if (!Kind) throw new TypeError(`unknown dtype on the wire: ${packed.dtype}`);
  const length = packed.shape.reduce((a, b) => a * b, 1);
  const source = packed.data;
  let buffer = source instanceof ArrayBuffer ? source : source.buffer;
  let offset = source instanceof ArrayBuffer ? 0 : source.byteOffset;
  if (source.byteLength !== length * Kind.BYTES_PER_ELEMENT) {
    throw new RangeError(
      `${packed.dtype} of shape [${packed.shape}] needs ${length * Kind.BYTES_PER_ELEMENT} bytes, got ${source.byteLength}`,
    );
  }
  if (offset % Kind.BYTES_PER_ELEMENT !== 0) {
    buffer = buffer.slice(offset, offset + source.byteLength);
    offset = 0;
    packed.data = new DataView(buffer as ArrayBuffer);
  }
  return new Kind(buffer as ArrayBuffer, offset, length);
}

export interface Matrix {
  data: Float32Array;
  rows: number;
  cols: number;
}

/** The last two axes as a matrix; `index` picks along a leading axis of heads, if there is one. */
export function matrix(packed: Packed, index: number, flat = decode(packed)): Matrix {
  const [rows, cols] = packed.shape.slice(-2);
  const at = packed.shape.length > 2 ? index * rows * cols : 0;
  return { data: (flat as Float32Array).subarray(at, at + rows * cols), rows, cols };
}
