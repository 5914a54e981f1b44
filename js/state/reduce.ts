/** What a command changes in the page, without the maps that follow from it. */
import { changed, reproject } from "../maths/flow";
import { cells } from "../wire/cell-runs";
import type { Command, Editable, Paint, Presets, SetInput, SetNumber } from "../wire/schema";
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

/** A command as it goes up, and what the page alone knows of it. */
export interface Action {
  readonly command: Command;
  /** A newer action that replaces the same name makes this one void. */
  readonly replaces?: string;
  /** What an undo or a redo sets back, beside the cells that it paints. */
  readonly preview?: Preview;
}

export interface Preview extends SetBack {
  /** When it was asked for: after a later change of others only Python knows what it does. */
  readonly era: number;
}

/** Values that were in force. */
export interface SetBack {
  readonly presets?: Presets;
  readonly factor?: Factor;
  /** Whole inputs, and the marks that belong to them. */
  readonly numbers?: Pick<PageState, "inputs" | "hand">;
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

export function isFactor(command: SetInput): command is SetInput & Factor {
  return command.name === "scale" || command.name === "temperature";
}

export function flatIndex(at: readonly number[], shape: readonly number[]): number {
  return at.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
}

/** The fold's step, over the confirmed arrays of `mirror`. */
export function createReduce(mirror: Mirror) {
  const { get, nQ, nK } = mirror;

  function painted(state: PageState, { on, off }: Pick<Paint, "on" | "off">): PageState {
    if (on.length + off.length === 0) return state;
    const mask = mirror.flat("mask") as Uint8Array;
    const locked = mirror.flat("locked");
    const next = new Map(state.rows);
    const width = nK();
    for (const [runs, value] of [
      [on, 1],
      [off, 0],
    ] as const) {
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
    return { ...state, rows: next };
  }

  /** The state with a number of an array set, with Q, K and V as they follow from it. */
  function withNumber(state: PageState, command: SetNumber): PageState {
    const { name, at, value, array_shape: shape, shown } = command;
    if (String(shape) !== String(mirror.packed(name)?.shape)) return state;
    // Of a model, another head's numbers look the same.
    if (shape.length === 2 && String(shown) !== String(get("shown"))) return state;
    const flow = mirror.flow(
      (array) => state.inputs.get(array as Editable) ?? mirror.flat(array),
      state,
    );
    const inputs = new Map<Editable, Float32Array>();
    for (const array of changed(flow, name)) {
      const values = flow[array];
      if (values) inputs.set(array, values.slice());
    }
    const index = flatIndex(at, shape);
    (inputs.get(name) as Float32Array)[index] = value;
    reproject({ ...flow, ...Object.fromEntries(inputs) }, name);
    const marks = new Set(state.hand.get(name)).add(index);
    return {
      ...state,
      inputs: new Map([...state.inputs, ...inputs]),
      hand: new Map(state.hand).set(name, marks),
    };
  }

  const fits = ({ inputs }: NonNullable<SetBack["numbers"]>) =>
    [...inputs].every(([name, values]) => values.length === mirror.flat(name)?.length);

  function withSetBack(state: PageState, { presets, factor, numbers }: SetBack): PageState {
    return {
      ...state,
      ...(presets && { presets }),
      ...(factor && { [factor.name]: factor.value }),
      ...(numbers &&
        fits(numbers) && {
          inputs: new Map([...state.inputs, ...numbers.inputs]),
          hand: numbers.hand,
        }),
    };
  }

  return (state: PageState, { command, preview }: Action): PageState => {
    if (command.do === "set") {
      return isFactor(command) ? { ...state, [command.name]: command.value } : state;
    }
    if (!("shape" in command)) return state; // only Python runs the model
    const [n, width] = command.shape;
    if (n !== nQ() || width !== nK()) return state;
    switch (command.do) {
      case "paint": {
        const { presets } = command;
        return painted(presets ? { ...state, presets } : state, command);
      }
      case "number":
        return withNumber(state, command);
      case "undo":
      case "redo":
        return preview?.era === state.era ? painted(withSetBack(state, preview), command) : state;
      case "reset":
        return state; // only Python knows what the numbers were
    }
  };
}
