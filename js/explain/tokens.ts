/** Tokens as labels: always visible, shortened by characters that a reader sees as one. */

export type Measure = (text: string) => number;

/** Something to see for what would be blank: the empty token, spaces, line ends, control characters. */
export function visible(token: string): string {
  if (token === "") return "∅";
  const shown = token
    .replace(/\r\n|[\n\r\u2028\u2029]/g, "⏎")
    .replace(/\t/g, "⇥")
    // Controls, and the marks that would turn the direction of what stands beside them.
    .replace(/[\p{Cc}\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, "·");
  return /^\s+$/u.test(shown) ? "␣".repeat(shown.length) : shown;
}

function graphemes(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), (part) => part.segment);
}

/** The longest beginning of `text` that fits `width`, with an ellipsis where something is left out. */
export function shorten(text: string, width: number, measure: Measure): string {
  if (measure(text) <= width) return text;
  // A label shows a few dozen characters at most: a novel in a token is cut before it is measured.
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
