/** Knock-outs in words, and as a line of Python. */
import type { Aim, Kind, KnockOutChange, Where } from "../state/knockouts";
import type { KnockOutRecord, RunRecord, RunState } from "../wire/schema";
import { number } from "./numbers";
import { inText } from "./tokens";

/** What each kind does to the weights, and where the kind is from. */
export const KINDS: Record<Kind, string> = {
  remove:
    "The score becomes −∞ before the softmax, and the rest of the row grows. Geva et al. 2023, arXiv 2304.14767.",
  zero: "The weight becomes 0 after the softmax, and the row sums to less than 1.",
  mean: "The weight becomes the mean of the weights that the head gives the key, over the queries that see the key.",
  first: "The weight moves to the first key that the query sees, where many heads rest.",
};

const AT: Record<Where, string> = {
  edge: "this edge",
  key: "this key",
  query: "this query",
  all: "all edges",
};

const layersOf = ([first, last]: readonly [number, number]) =>
  first === last ? `layer ${first}` : `layers ${Math.min(first, last)}–${Math.max(first, last)}`;

/** The choice of a click in a few words: "this edge, this head, remove". */
export function aimWords({ whatIf, where, within, band, kind }: Aim): string {
  if (whatIf) return "what-if on this head";
  const place = { head: "this head", layer: "this layer", layers: "all layers" };
  return `${AT[where]}, ${within === "band" ? layersOf(band) : place[within]}, ${kind}`;
}

function cellsOf({ query, key }: KnockOutRecord, tokens: Tokens | null): string {
  const name = (list: readonly string[] | undefined, i: number) =>
    list?.[i] === undefined ? "" : `“${inText(list[i])}”`;
  const one = (side: string, words: string, i: number) =>
    words ? `${side} ${words} (${i})` : `${side} ${i}`;
  if (query === null && key === null) return "all edges";
  if (key === null) return one("query", name(tokens?.queries, query as number), query as number);
  if (query === null) return one("key", name(tokens?.keys, key), key);
  const [from, to] = [name(tokens?.queries, query), name(tokens?.keys, key)];
  return from && to ? `${from} → ${to} (${query}→${key})` : `${query}→${key}`;
}

function placeOf({ layer, head }: KnockOutRecord): string {
  if (layer === null) return head === null ? "every layer" : `head ${head} of every layer`;
  return head === null ? `every head of layer ${layer}` : `layer ${layer}, head ${head}`;
}

export interface Tokens {
  queries: readonly string[];
  keys: readonly string[];
}

/** For example "“bee” → “owl” (5→2), layer 1, head 0"; `tokens` are those of the record's stack, if they are known. */
export function recordWords(
  record: KnockOutRecord,
  tokens: Tokens | null,
  isOneStack: boolean,
): string {
  const stack = isOneStack || record.stack === null ? "" : `${record.stack}, `;
  return `${cellsOf(record, tokens)}, ${stack}${placeOf(record)}`;
}

/** What a click does, for example "A click takes this edge out of layer 1, head 0." */
export function changeWords({ add, remove }: KnockOutChange, aim: Aim): string {
  if (add.length === 0) {
    const more = remove.length > 1 ? `${remove.length} knock-outs` : "what is knocked out here";
    return `A click puts ${more} back.`;
  }
  const [first] = add;
  const { query, key } = first;
  const what =
    query !== null && key !== null
      ? "this edge"
      : query !== null
        ? "every edge of this query"
        : key !== null
          ? "every edge to this key"
          : "all edges";
  const where = aim.within === "band" ? layersOf(aim.band) : placeOf(first);
  const does = {
    remove: `takes ${what} out of ${where}`,
    zero: `sets the weight of ${what} to 0 in ${where}`,
    mean: `sets the weight of ${what} to the head's mean in ${where}`,
    first: `moves the weight of ${what} to the first key in ${where}`,
  };
  return `A click ${does[first.kind]}, and the model runs again.`;
}

const ENTRIES = ["stack", "layer", "head", "query", "key"] as const;

/** The line that sets the knock-outs of a widget `w`, in the words of Python's `knockouts_code`. */
export function knockOutsCode(records: readonly KnockOutRecord[]): string {
  const dictionaries = records.map((record) => {
    const entries: string[] = ENTRIES.filter((name) => record[name] !== null).map(
      (name) => `'${name}': ${name === "stack" ? `'${record.stack}'` : record[name]}`,
    );
    if (record.kind !== "remove") entries.push(`'kind': '${record.kind}'`);
    return `{${entries.join(", ")}}`;
  });
  return `w.knockouts = [${dictionaries.join(", ")}]`;
}

/** A time with its unit. */
export const secondsWords = (seconds: number): string =>
  seconds < 0.9995 ? `${Number((seconds * 1000).toPrecision(2))} ms` : `${number(seconds)} s`;

/** How a run went: "12 ms. From layer 3 on." */
export function runWords({ state, words, seconds }: RunState): string {
  if (state === "running") return "The model runs…";
  if (state === "idle") return "";
  return [seconds === null ? "" : `${secondsWords(seconds)}.`, words].filter(Boolean).join(" ");
}

/** The effect of a run in one number. */
export function effectNumber({ number: value, unit }: Pick<RunRecord, "number" | "unit">): string {
  if (value === null) return "no number";
  // The other units are names of what is measured: "1 - cosine", "largest change".
  return unit === "nats" ? `${number(value)} nats` : `${unit.replace("-", "−")} ${number(value)}`;
}
