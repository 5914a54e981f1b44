/** Tokens as labels: blank tokens become visible, long tokens are shortened by whole characters. */

export type Measure = (text: string) => number;

/** Replace invisible characters by symbols: the empty token, spaces, line ends, control characters. */
export function visible(token: string): string {
  if (token === "") return "∅";
  const label = token
    .replace(/\r\n|[\n\r\u2028\u2029]/g, "⏎")
    .replace(/\t/g, "⇥")
    // Control characters, and marks that would change the text direction of the surrounding words.
    .replace(/[\p{Cc}\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, "·");
  return /^\s+$/u.test(label) ? "␣".repeat(label.length) : label;
}

/** Split a text into the characters that a reader sees; an accent belongs to its letter. */
function graphemes(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), (part) => part.segment);
}

/** Whether a reader sees a single character. */
export function isSingle(text: string): boolean {
  return text.length === 1 || (text.length < 16 && graphemes(text).length === 1);
}

/** Return the longest start of `text` that fits `width`; a shortened text ends with an ellipsis. */
export function shorten(text: string, width: number, measure: Measure): string {
  if (measure(text) <= width) return text;
  // A label shows a few dozen characters, so a very long token is cut before it is measured.
  const parts = graphemes(text.slice(0, 400));
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(`${parts.slice(0, middle).join("")}…`) <= width) low = middle;
    else high = middle - 1;
  }
  return `${parts.slice(0, low).join("")}…`;
}
