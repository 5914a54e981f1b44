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

/** Whether a preset hides key `k` from query `q`. */
export function hides(preset: Preset, keys: readonly string[]): (q: number, k: number) => boolean {
  const pad = paddedKeys(keys);
  switch (preset) {
    case "none":
      return () => false;
    case "causal":
      return (q, k) => k > q;
    case "padding":
      return (_, k) => k >= pad;
    case "window":
      return (q, k) => Math.abs(q - k) > 1;
  }
}
