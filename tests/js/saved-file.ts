/** The state of a saved page, for tests of the page without Python. */
import type { Placed, SavedFile, SavedHead } from "../../js/saved/file";
import type { LayerInfo, Traits } from "../../js/wire/schema";
import { K, Q, traitsOf, V } from "./model";

/** A file of two layers; the queries of layer 1 are those of layer 0 in the other order. */
export function fileOf(more: Partial<Traits> = {}): SavedFile {
  const bytes: number[] = [];
  const place = (
    values: readonly number[],
    shape: number[],
    dtype: "float32" | "uint8",
  ): Placed => {
    const at = bytes.length;
    const data = dtype === "uint8" ? Uint8Array.from(values) : Float32Array.from(values);
    bytes.push(...new Uint8Array(data.buffer));
    return { chunk: 0, at, dtype, shape };
  };
  const own = place([0, 0, 0, 0, 0, 0], [2, 3], "uint8");
  bytes.push(0, 0); // a chunk has its arrays one after the other
  const head = (layer: number, queries: readonly (readonly number[])[]): SavedHead => ({
    ...{ layer, head: 0, softcap: null, scale: 1, temperature: 1, notices: [0, 1] },
    arrays: {
      Q: place(queries.flat(), [2, 1], "float32"),
      K: place(K.flat(), [3, 1], "float32"),
      V: place(V.flat(), [3, 2], "float32"),
    },
  });
  const heads = [head(0, Q), head(1, [...Q].reverse())];
  const info = (index: number): LayerInfo => ({
    ...{ index, module: "", stack: "cross", n_heads: 1, n_kv_heads: 1, proved: null },
  });
  const { tokens, key_tokens, ...traits } = { ...traitsOf(), seed: 0, ...more };
  const plain = Object.entries(traits).filter(([, v]) => !(v as { dtype?: string } | null)?.dtype);
  return {
    ...{ format: 1, css: "", original: {}, mistakes: [], notices: ["as saved", "edited"] },
    traits: { ...Object.fromEntries(plain), tokens, key_tokens },
    layers: [info(0), info(1)],
    stacks: [{ stack: "cross", traits: { tokens, key_tokens }, own, keys: 3, presets: {}, heads }],
    chunks: [{ isPacked: false, data: btoa(String.fromCharCode(...bytes)) }],
  };
}
