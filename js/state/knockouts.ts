/** Knock-outs as records: the part of a model that a record takes out, and what a click adds or takes back. */
import type { Effect, KnockOutRecord, Reach } from "../wire/schema";

export type Kind = KnockOutRecord["kind"];
/** What a click takes out: the edge, its key's column, its query's row, or every edge. */
export type Where = "edge" | "key" | "query" | "all";
/** Where a click takes it out. */
export type Within = "head" | "layer" | "layers" | "band";

/** What a click on the map does. */
export interface Aim {
  /** Whether a click is a mask on the map of the shown head alone, and the model does not run. */
  readonly whatIf: boolean;
  readonly where: Where;
  readonly within: Within;
  /** The first and the last layer of a band. */
  readonly band: readonly [number, number];
  readonly kind: Kind;
}

export const FIRST_AIM: Aim = {
  ...{ whatIf: false, where: "edge", within: "head", band: [0, 0], kind: "remove" },
};

/** The head whose map is on screen; `stack` as the layers name it. */
export interface Place {
  readonly stack: string;
  readonly layer: number;
  readonly head: number;
}

/** A cell; null for a whole row or column. */
export type At = readonly [query: number | null, key: number | null];

export interface KnockOutChange {
  readonly add: KnockOutRecord[];
  readonly remove: KnockOutRecord[];
}

const ENTRIES = ["stack", "layer", "head", "query", "key"] as const;

/** The name of a stack without its size: "cross" of "cross 8×64". */
export const partOf = (stack: string): string => stack.split(" ")[0];

/** The records of a click on a cell, or on a label: one, or one for each layer of a band. */
export function recordsAt(aim: Aim, { stack, layer, head }: Place, at: At): KnockOutRecord[] {
  const { where, within, band, kind } = aim;
  const [query, key] = at;
  const isLabel = query === null || key === null;
  const record = {
    ...{ stack: partOf(stack), head: within === "head" ? head : null },
    query: isLabel || where === "edge" || where === "query" ? query : null,
    key: isLabel || where === "edge" || where === "key" ? key : null,
    kind,
  };
  const [first, last] = [Math.min(...band), Math.max(...band)];
  const layers: (number | null)[] =
    within === "layers"
      ? [null]
      : within === "band"
        ? Array.from({ length: last - first + 1 }, (_, i) => first + i)
        : [layer];
  return layers.map((layer) => ({ ...record, layer }));
}

/** Whether `a` takes out everything that `b` takes out. */
const contains = (a: KnockOutRecord, b: KnockOutRecord) =>
  ENTRIES.every((name) => a[name] === null || a[name] === b[name]);

export const isSameRecord = (a: KnockOutRecord, b: KnockOutRecord) =>
  a.kind === b.kind && ENTRIES.every((name) => a[name] === b[name]);

const isOut = (now: readonly KnockOutRecord[], record: KnockOutRecord) =>
  now.some((each) => each.kind === record.kind && contains(each, record));

/** Take `wanted` out, and the records inside of it, which say nothing more. */
export function takingOut(
  now: readonly KnockOutRecord[],
  wanted: readonly KnockOutRecord[],
): KnockOutChange {
  const add = wanted.filter((record) => !isOut(now, record));
  return { add, remove: now.filter((each) => add.some((record) => contains(record, each))) };
}

/** Put `wanted` back: each record that has some of it goes as a whole. */
export function puttingBack(
  now: readonly KnockOutRecord[],
  wanted: readonly KnockOutRecord[],
): KnockOutChange {
  const holds = (each: KnockOutRecord) =>
    wanted.some((record) => each.kind === record.kind && contains(each, record));
  return { add: [], remove: now.filter(holds) };
}

/** What a click does: it puts back what is out, and takes out the rest. */
export function toggled(
  now: readonly KnockOutRecord[],
  wanted: readonly KnockOutRecord[],
): KnockOutChange {
  const isAll = wanted.every((record) => isOut(now, record));
  return isAll ? puttingBack(now, wanted) : takingOut(now, wanted);
}

/** The knock-outs after a change, as Python's session has them. */
export function changed(
  now: readonly KnockOutRecord[],
  { add, remove }: KnockOutChange,
): KnockOutRecord[] {
  const isIn = (list: readonly KnockOutRecord[], record: KnockOutRecord) =>
    list.some((each) => isSameRecord(each, record));
  const next = now.filter((record) => !isIn(remove, record));
  for (const record of add) if (!isIn(next, record)) next.push(record);
  return next;
}

/** The change that leads from some knock-outs to others. */
export function changeTo(
  now: readonly KnockOutRecord[],
  next: readonly KnockOutRecord[],
): KnockOutChange {
  const isNext = (record: KnockOutRecord) => next.some((each) => isSameRecord(each, record));
  return { add: [...next], remove: now.filter((record) => !isNext(record)) };
}

/** Whether a record takes something out of the map of a head. */
export const touches = (record: KnockOutRecord, { stack, layer, head }: Place): boolean =>
  (record.stack === null || record.stack === partOf(stack)) &&
  (record.layer === null || record.layer === layer) &&
  (record.head === null || record.head === head);

/** The record that takes a cell out of the map of a head, if there is one. */
export const recordOfCell = (
  now: readonly KnockOutRecord[],
  place: Place,
  query: number,
  key: number,
): KnockOutRecord | undefined =>
  now.find(
    (record) =>
      touches(record, place) &&
      (record.query === null || record.query === query) &&
      (record.key === null || record.key === key),
  );

/** Where the knock-outs can change the maps of a layer: from this row on, everywhere, or nowhere. */
export function reachOf(
  effect: Pick<Effect, "reach">,
  stack: string,
  layer: number,
): number | "all" | "nowhere" {
  const parts = effect.reach.filter(
    (part: Reach) => (part.stack === stack || part.stack === partOf(stack)) && part.layer <= layer,
  );
  if (!parts.length) return "nowhere";
  const rows = parts.map(({ query }) => query ?? 0);
  return Math.min(...rows) || "all";
}
