/** The lines in words: the strongest keys of some queries, or the weight that a key gets. */
import { visible } from "../../explain/tokens";
import type { Store } from "../../state/store";
import type { LineData } from "./data";

export const HINT =
  "hover a token on the left to see what it looks at, on the right to see who looks at it";

export function keyWords(store: Store, data: LineData, heads: readonly number[], key: number) {
  let sum = 0;
  for (let q = 0; q < data.nQ; q++) {
    for (const head of heads) data.each(head, q, (k, w) => (sum += k === key ? w : 0));
  }
  const name = visible(store.keyTokens[key]);
  return `“${name}” gets ${sum.toFixed(3)} of ${heads.length} × ${data.nQ} rows`;
}

/** `sums` holds the weight that each key gets; `rest` is the weight of the keys that Python did not send. */
export function queryWords(
  store: Store,
  data: LineData,
  heads: readonly number[],
  queries: Iterable<number>,
  { sums, rest }: { sums: Float64Array; rest: number },
): string {
  const top = Array.from(sums, (value, k) => ({ value, k }))
    .sort((a, b) => b.value - a.value)
    .slice(0, 5);
  const names = [...queries].map((q) => visible(store.tokens[q])).join(" + ");
  const listed = top
    .filter(({ value }) => value > 0)
    .map(({ value, k }) => `${visible(store.keyTokens[k])} ${value.toFixed(3)}`);
  const left = rest > 5e-4 ? `; ${rest.toFixed(3)} on keys not drawn` : "";
  const inHead = data.heads > 1 ? ` in head ${heads[0]}` : "";
  const ofHeads = heads.length > 1 ? `, ${heads.length} heads summed` : inHead;
  return `${names} → ${listed.join(", ")}${left}${heads.length ? ofHeads : ", no head is selected"}`;
}
