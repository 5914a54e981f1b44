/** What a command changes in the page, without the maps that follow from it. */
import { changed, reproject } from "../maths/flow";
import { cells } from "../wire/cell-runs";
import type { CellValue, Editable, Op, Presets, Runs } from "../wire/schema";
import type { Factors, Mirror } from "./mirror";

/**
 * What the page's commands have made of the confirmed state. No value is ever changed in place: a
 * command makes new rows and new arrays, so an older state stays as it was.
 */
export interface PageState extends Factors {
  readonly revision: number;
  /** Goes up with every change that is not this page's: what undo takes back is not known after it. */
  readonly era: number;
  readonly presets: Presets;
  readonly scale: number | null;
  readonly temperature: number;
  /** The rows of the mask that commands have set, whole. */
  readonly rows: ReadonlyMap<number, Uint8Array>;
  /** The inputs that commands have set, whole. */
  readonly inputs: ReadonlyMap<Editable, Float32Array>;
  /** The numbers set by hand, beside those that Python marks. */
  readonly hand: Marks;
}

export type Marks = ReadonlyMap<Editable, ReadonlySet<number>>;
export type Factor = { name: "scale" | "temperature"; value: number | null };

/** An edit as it goes up, and what the page alone knows of it. */
export interface Command extends Omit<Op, "seq"> {
  /** A newer command of the same name makes this one void. */
  replaces?: string;
  /** When an undo was asked for: after a later change of others only Python knows what it does. */
  era?: number;
  /** What an undo or a redo sets back. */
  factor?: Factor;
  inputs?: ReadonlyMap<Editable, Float32Array>;
  hand?: Marks;
}

const NO_ROWS: PageState["rows"] = new Map();
const NO_INPUTS: PageState["inputs"] = new Map();
const NO_MARKS: Marks = new Map();

/** The confirmed state, without any command of the page. */
export function confirmedState({ get }: Mirror, revision: number, era: number): PageState {
  return {
    ...{ revision, era, presets: get("presets") },
    ...{ scale: get("scale"), temperature: get("temperature") },
    ...{ rows: NO_ROWS, inputs: NO_INPUTS, hand: NO_MARKS },
  };
}

export function isFactor(setting: Op["setting"]): setting is Factor {
  return setting?.name === "scale" || setting?.name === "temperature";
}

export function flatIndex(at: readonly number[], shape: readonly number[]): number {
  return at.reduce((sum, i, axis) => sum * (shape[axis] as number) + i, 0);
}

/** The fold's step, over the confirmed arrays of `mirror`. */
export function createReduce(mirror: Mirror) {
  const { get, nQ, nK } = mirror;

  function painted(rows: PageState["rows"], sets: readonly (readonly [Runs, number])[]) {
    const mask = mirror.flat("mask") as Uint8Array;
    const locked = mirror.flat("locked");
    const next = new Map(rows);
    const width = nK();
    for (const [runs, value] of sets) {
      // The rows that these cells have made new.
      const fresh = new Map<number, Uint8Array>();
      for (const cell of cells(runs)) {
        if (locked?.[cell]) continue;
        const row = Math.floor(cell / width);
        let bits = fresh.get(row);
        if (!bits) {
          bits = (next.get(row) ?? mask.subarray(row * width, (row + 1) * width)).slice();
          fresh.set(row, bits);
          next.set(row, bits);
        }
        bits[cell - row * width] = value;
      }
    }
    return next;
  }

  /** The state with a number of an array set, with Q, K and V as they follow from it. */
  function withNumber(state: PageState, { name, at, value, shape, shown }: CellValue): PageState {
    if (String(shape) !== String(mirror.packed(name)?.shape)) return state;
    // Of a model, another head's numbers look the same.
    if (shape.length === 2 && String(shown) !== String(get("shown"))) return state;
    const flow = mirror.flow(
      (array) => state.inputs.get(array as Editable) ?? mirror.flat(array),
      state,
    );
    const made = new Map<Editable, Float32Array>();
    for (const array of changed(flow, name)) {
      const values = flow[array];
      if (values) made.set(array, values.slice());
    }
    const index = flatIndex(at, shape);
    (made.get(name) as Float32Array)[index] = value;
    reproject({ ...flow, ...Object.fromEntries(made) }, name);
    const marks = new Set(state.hand.get(name)).add(index);
    return {
      ...state,
      inputs: new Map([...state.inputs, ...made]),
      hand: new Map(state.hand).set(name, marks),
    };
  }

  const fits = (inputs: NonNullable<Command["inputs"]>) =>
    [...inputs].every(([name, values]) => values.length === mirror.flat(name)?.length);

  return (state: PageState, command: Command): PageState => {
    const { setting, cell, on, off, presets, move, era, factor, inputs, hand, shape } = command;
    if (isFactor(setting)) return { ...state, [setting.name]: setting.value };
    if (shape[0] !== nQ() || shape[1] !== nK()) return state;
    if (move && era !== state.era) return state;
    let next = state;
    if (cell) next = withNumber(next, cell);
    if (factor) next = { ...next, [factor.name]: factor.value };
    if (inputs && fits(inputs)) {
      next = { ...next, inputs: new Map([...next.inputs, ...inputs]), hand: hand ?? NO_MARKS };
    }
    if (on.length + off.length > 0) {
      next = {
        ...next,
        rows: painted(next.rows, [
          [on, 1],
          [off, 0],
        ]),
      };
    }
    return presets ? { ...next, presets } : next;
  };
}
