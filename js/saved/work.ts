/** What the commands of a saved page do to its masks and numbers; every state is a value of its own. */
import { changed, type Flow, reproject } from "../maths/flow";
import { cells } from "../wire/cell-runs";
import type { Paint, Presets, SetInput, SetNumber } from "../wire/schema";
import { type Edit, type Head, type Heads, NO_EDIT, type Place } from "./heads";

/** What is masked by hand and by presets, without what the model itself masks. */
export interface Mask {
  readonly own: Uint8Array;
  readonly presets: Presets;
}

/** What undo restores: the mask of each stack, and the edits of each head. */
export interface Work {
  readonly masks: ReadonlyMap<string, Mask>;
  readonly edits: ReadonlyMap<string, Edit>;
}

/** All heads of a sentence are edited together; the heads of a model one by one. */
export const keyOf = ({ stack, layer, head }: Place, { stacked }: Head) =>
  stacked > 1 ? stack : `${stack} ${layer} ${head}`;

export const editOf = (work: Work, place: Place, head: Head): Edit =>
  work.edits.get(keyOf(place, head)) ?? NO_EDIT;

export function withEdit(work: Work, place: Place, head: Head, edit: Edit): Work {
  return { ...work, edits: new Map(work.edits).set(keyOf(place, head), edit) };
}

/** The mask of a head: that of its stack, and what the model itself masks. */
export function maskOf(work: Work, { stack }: Place, { locked }: Head): Uint8Array {
  const { own } = work.masks.get(stack) as Mask;
  return locked ? own.map((masked, at) => masked | locked[at]) : own.slice();
}

/** The presets and their parameters as a text, in the order of their names. */
const namesOf = (presets: Presets) => JSON.stringify(Object.entries(presets).sort());

/** The work with cells painted, none of which the model itself masks. */
export function painted(work: Work, place: Place, head: Head, command: Omit<Paint, "do">): Work {
  const { on, off, presets, shape } = command;
  if (shape[0] !== head.nQ || shape[1] !== head.nK) return work;
  const before = work.masks.get(place.stack) as Mask;
  const own = before.own.slice();
  for (const [runs, value] of [
    [on, 1],
    [off, 0],
  ] as const) {
    for (const cell of cells(runs)) if (!head.locked?.[cell]) own[cell] = value;
  }
  const isOther = presets && namesOf(presets) !== namesOf(before.presets);
  if (!isOther && own.every((value, at) => value === before.own[at])) return work;
  const mask = { own, presets: presets ?? before.presets };
  return { ...work, masks: new Map(work.masks).set(place.stack, mask) };
}

/** The work with another scale or temperature; the scale of null is 1/√d_k. Raises an error for a value that does not fit. */
export function withFactor(
  work: Work,
  place: Place,
  head: Head,
  { name, value }: { name: "scale" | "temperature"; value: SetInput["value"] },
  flow: Flow,
): Work {
  const number = value ?? (name === "scale" ? flow.dK ** -0.5 : null);
  const isNumber = typeof number === "number" && Number.isFinite(number);
  if (!isNumber || (name === "temperature" && number < 0)) {
    throw new RangeError(`${name}: got ${value}, want a finite number`);
  }
  if (flow[name] === number) return work;
  return withEdit(work, place, head, { ...editOf(work, place, head), [name]: number });
}

/** The work with a number set, and with Q, K and V as they follow from it. Raises an error for a number that does not fit. */
export function withNumber(
  work: Work,
  place: Place,
  head: Head,
  { name, at, value, array_shape, shown }: SetNumber,
  heads: Heads,
): Work {
  const edit = editOf(work, place, head);
  const shape = heads.shapeOf(name, head);
  const isHere =
    shape.length > 2 || String(shown) === String([place.layer, place.head, place.stack]);
  const before = heads.input(head, edit, name);
  if (!before || !isHere || String(array_shape) !== String(shape)) return work;
  if (!Number.isFinite(Math.fround(value))) {
    throw new RangeError(`${name}: got ${value}, want a finite number`);
  }
  const index = at.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
  if (before[index] === Math.fround(value)) return work;
  const flow = heads.flow(head, edit, maskOf(work, place, head));
  const inputs = new Map(edit.inputs);
  for (const array of changed(flow, name)) {
    const values = flow[array];
    if (values) inputs.set(array, values.slice());
  }
  (inputs.get(name) as Float32Array)[index] = value;
  reproject({ ...flow, ...Object.fromEntries(inputs) }, name);
  const marks = new Set(edit.hand.get(name)).add(index);
  const hand = new Map(edit.hand).set(name, marks);
  const after = { ...edit, inputs, hand };
  const { scores } = heads.flow(head, after, flow.mask);
  if (scores.some((score) => !Number.isFinite(score))) {
    throw new RangeError(`${name}: with ${value} a score is not finite, want a smaller number`);
  }
  return withEdit(work, place, head, after);
}

/** The rows in which two masks differ. */
export function changedRows(before: Uint8Array, after: Uint8Array, nK: number): number[] {
  const rows = new Set<number>();
  before.forEach((value, at) => {
    if (value !== after[at]) rows.add(Math.floor(at / nK));
  });
  return [...rows];
}
