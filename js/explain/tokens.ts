/** Tokens as labels: blank tokens become visible, long tokens are shortened by whole characters. */

export type Measure = (text: string) => number;

/** Letters of the scripts that are written from right to left: Hebrew, Arabic, Syriac and others. */
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1eeff}]/u;
/** Control characters, characters without width, and marks that would change the direction of the words around them. */
const INVISIBLE =
  /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
/** Joiners and variation selectors, which change the characters beside them and are invisible alone. */
const ALONE = /^(?:\u034f|\u200c|\u200d|[\ufe00-\ufe0f])+$/;

/** More marks on a letter than any language writes: a stack of them would cover other lines. */
const STACKED = /(\p{M}{6})\p{M}+/gu;

/** Replace invisible characters by symbols: the empty token, spaces, line ends, control characters. */
export function visible(token: string): string {
  if (token === "") return "∅";
  const label = token
    .replace(/\r\n|[\n\r\u2028\u2029]/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(INVISIBLE, "·")
    .replace(STACKED, "$1");
  if (/^\s+$/u.test(label)) return "␣".repeat(label.length);
  if (ALONE.test(label)) return "·".repeat(label.length);
  // An accent without its letter stands over a circle, as in Unicode's own tables.
  return /^\p{M}/u.test(label) ? `◌${label}` : label;
}

/** Code units of a token inside other words: a longer token would make the card higher than a screen. */
const LONGEST = 200;

/** A token inside other words, cut if it is long; right-to-left letters do not reorder the words. */
export function inText(token: string): string {
  const start = token.length > LONGEST ? `${beginning(token, LONGEST)}…` : token;
  const label = visible(start);
  return RIGHT_TO_LEFT.test(label) ? `\u2068${label}\u2069` : label;
}

/** The direction of the first letter, as browsers decide it for `dir="auto"`. */
export function directionOf(text: string): "ltr" | "rtl" {
  const letter = /\p{L}/u.exec(text)?.[0] ?? "";
  return RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
}

/** Split a text into the characters that a reader sees; an accent belongs to its letter. */
function graphemes(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), (part) => part.segment);
}

/** Whether a reader sees a single character. */
export function isSingle(text: string): boolean {
  return text.length === 1 || (text.length < 16 && graphemes(text).length === 1);
}

/** About `count` code units, and whole characters: the last code unit may lie inside a character. */
function beginning(text: string, count = 400): string {
  const segments = new Intl.Segmenter().segment(text.slice(0, 2 * count));
  return text.slice(0, segments.containing(count)?.index || count);
}

/** Return the longest start of `text` that fits `width`; a shortened text ends with an ellipsis. */
export function shorten(text: string, width: number, measure: Measure): string {
  // A label shows a few dozen characters, so a very long token is cut before it is measured.
  if (text.length <= 800 && measure(text) <= width) return text;
  const parts = graphemes(beginning(text));
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(`${parts.slice(0, middle).join("")}…`) <= width) low = middle;
    else high = middle - 1;
  }
  return `${parts.slice(0, low).join("")}…`;
}
