/** The masks that have names, as Python's `presets` makes them. */
import type { Presets } from "../wire/schema";

export const PRESETS = ["causal", "padding", "window", "prefix", "block"] as const;
export type Preset = (typeof PRESETS)[number];

/** What a preset is switched on with. */
export const DEFAULTS = { causal: true, padding: true, window: 1, prefix: 2, block: true } as const;

const PAD = new Set(["[PAD]", "<pad>", "<|pad|>", "<|endoftext|>"]);
const ENDS = /^(?:[.!?…。！？]+["'”’»)\]}」』]*|\[SEP\]|<\/s>|<\|endoftext\|>)$/;
const CLOSES = /^["'”’»)\]}」』]+$/;

/** Keys that padding hides: the trailing pad tokens. */
export function paddedKeys(tokens: readonly string[]): number[] {
  let first = tokens.length;
  while (first > 0 && PAD.has(tokens[first - 1])) first--;
  return Array.from({ length: tokens.length - first }, (_, i) => first + i);
}

/** The number of each token's sentence. */
export function sentenceBlocks(tokens: readonly string[]): number[] {
  let sentence = 0;
  let ended = false;
  return tokens.map((token) => {
    const ends = ENDS.test(token);
    if (ended && !ends && !CLOSES.test(token)) {
      sentence++;
      ended = false;
    }
    ended ||= ends;
    return sentence;
  });
}

/** Whether the presets together hide key `k` from query `q`. */
export function hides(
  presets: Presets,
  queries: readonly string[],
  keys: readonly string[],
): (q: number, k: number) => boolean {
  const padded = new Set(presets.padding === true ? paddedKeys(keys) : presets.padding);
  const blocks = presets.block ? [sentenceBlocks(queries), sentenceBlocks(keys)] : null;
  const { causal, window: width, prefix } = presets;
  return (q, k) =>
    Boolean(causal && k > q) ||
    padded.has(k) ||
    (width !== undefined && Math.abs(q - k) > width) ||
    (prefix !== undefined && k > q && k >= prefix) ||
    (blocks !== null && blocks[0]?.[q] !== blocks[1]?.[k]);
}
