/** The rows or the columns of a matrix that are drawn: all of them, or the first and the last with a gap between them. */

/** With more rows or columns than this, the middle is left out. */
export const MOST = 12;
const [FIRST, LAST] = [4, 2];

export interface Slots {
  /** The index that is drawn at each place; null at a gap. */
  readonly indices: readonly (number | null)[];
  /** The place of an index; an index that is left out has the place of its gap. */
  placeOf(index: number): number;
}

/** All of `count` indices. */
export function everySlot(count: number): Slots {
  return { indices: Array.from({ length: count }, (_, i) => i), placeOf: (index) => index };
}

/** The first and the last indices, and `kept` where it lies between them; all where there are few of them. */
export function fewSlots(count: number, kept: number | null): Slots {
  if (count <= MOST) return everySlot(count);
  const isDrawn = (i: number) => i < FIRST || i >= count - LAST || i === kept;
  const indices: (number | null)[] = [];
  const places: number[] = [];
  for (let i = 0; i < count; i++) {
    if (isDrawn(i)) indices.push(i);
    // A single index takes no more room than a gap.
    else if (isDrawn(i - 1) && isDrawn(i + 1)) indices.push(i);
    else if (indices.at(-1) !== null) indices.push(null);
    places.push(indices.length - 1);
  }
  return { indices, placeOf: (index) => places[index] ?? 0 };
}

/** Move from an index by places, or to an end; a gap is passed over. */
export function passGap({ indices }: Slots, from: number, to: number): number {
  const by = Math.sign(to - from) || 1;
  const next = indices[to] ?? indices[to + by];
  return next ?? 0;
}
