/** The masks that have names, as Python's `causal_mask`, `padding_mask` and `window_mask` make them. */

export const PRESETS = ["none", "causal", "padding", "window"] as const;
export type Preset = (typeof PRESETS)[number];

const PAD = /^(\[PAD\]|<pad>|<\|pad\|>|<\|endoftext\|>)$/;

/**
 * Keys that padding hides: the trailing pad tokens, or, in a sentence without any, the last word
 * (the course lab's own example).
 */
export function paddedKeys(tokens: readonly string[]): number {
  let first = tokens.length;
  while (first > 0 && PAD.test(tokens[first - 1] as string)) first--;
  return first === tokens.length ? tokens.length - 1 : first;
}

export function presetMask(preset: Preset, nQ: number, keys: readonly string[]): Uint8Array {
  const nK = keys.length;
  const mask = new Uint8Array(nQ * nK);
  if (preset === "none") return mask;
  const pad = paddedKeys(keys);
  for (let i = 0; i < nQ; i++) {
    for (let j = 0; j < nK; j++) {
      const hidden =
        preset === "causal" ? j > i : preset === "window" ? Math.abs(i - j) > 1 : j >= pad;
      if (hidden) mask[i * nK + j] = 1;
    }
  }
  return mask;
}
