/** The lines in words: the strongest keys of some queries, or the weight that a key gets. */
import { inText } from "../../explain/tokens";
import type { Store } from "../../state/store";
import type { LineData } from "./data";

export const HINT =
  "hover a token on the left to see what it looks at, on the right to see who looks at it; a click on the left pins a token";
const UNPIN = "pinned: another click on it, or Escape, unpins";

export function keyWords(store: Store, data: LineData, heads: readonly number[], key: number) {
  let sum = 0;
  for (let q = 0; q < data.nQ; q++) {
    for (const head of heads) data.each(head, q, (k, w) => (sum += k === key ? w : 0));
  }
  const mean = sum / Math.max(1, heads.length * data.queries);
  const name = inText(store.keyTokens[key]);
  return `“${name}” gets ${mean.toFixed(3)}${meanWords(data, heads, data.queries)}`;
}

/** `means` holds the mean weight that each key gets; `rest` is that of the keys that Python did not send. */
export function queryWords(
  store: Store,
  data: LineData,
  heads: readonly number[],
  queries: ReadonlySet<number>,
  { means, rest }: { means: Float64Array; rest: number },
  isPinned: boolean,
): string {
  const top = Array.from(means, (value, k) => ({ value, k }))
    .sort((a, b) => b.value - a.value)
    .slice(0, 5);
  const names = [...queries].map((q) => inText(store.tokens[q])).join(" + ");
  const listed = top
    .filter(({ value }) => value > 0)
    .map(({ value, k }) => `${inText(store.keyTokens[k])} ${value.toFixed(3)}`);
  const left = rest > 5e-4 ? `; ${rest.toFixed(3)} on keys not drawn` : "";
  if (!heads.length) return `${names}: no head is selected`;
  const mean = meanWords(data, heads, queries.size);
  return `${names} → ${listed.join(", ")}${left}${mean}${isPinned ? `; ${UNPIN}` : ""}`;
}

/** Say what a weight is the mean of. */
function meanWords(data: LineData, heads: readonly number[], queries: number): string {
  const counts = queries > 1 ? [`${queries} queries`] : [];
  if (heads.length > 1) counts.push(`${heads.length} heads`);
  const inHead = heads.length === 1 && data.heads > 1 ? ` in head ${heads[0]}` : "";
  return `${counts.length ? `, mean of ${counts.join(" × ")}` : ""}${inHead}`;
}
