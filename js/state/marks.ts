/** What has changed since views were told last. */
import type { Report } from "../wire/schema";
import { type Confirmed, isArray, type Mirror } from "./mirror";

/** Shapes or tokens, numbers of rows, numbers of inputs, traits. */
export interface Change {
  all: boolean;
  rows: ReadonlySet<number>;
  inputs: boolean;
  names: ReadonlySet<string>;
}

export type Marks = ReturnType<typeof createMarks>;

export function createMarks({ adopt, get, packed, nQ, stackedHeads }: Mirror) {
  const nothing = () => ({
    all: false,
    rows: new Set<number>(),
    inputs: false,
    names: new Set<string>(),
  });
  let now = nothing();

  function rows(changed: Iterable<number>) {
    for (const row of changed) now.rows.add(row);
  }
  /** Inputs have other numbers, and so has every row. */
  function inputs() {
    now.inputs = true;
    rows(Array(nQ()).keys());
  }

  return {
    rows,
    inputs,
    named(trait: string) {
      now.names.add(trait);
    },
    isNamed: (trait: string) => now.names.has(trait),
    /** Adopt a value of Python's. */
    adopt(name: Confirmed, value: unknown) {
      const before = isArray(name) ? String(packed(name)?.shape) : get(name);
      adopt(name, value);
      if (isArray(name)) {
        // Other numbers of the same shape are painted where the old numbers were.
        if (String(packed(name)?.shape) !== before) now.all = true;
        else inputs();
        return;
      }
      now.names.add(name);
      // Every number of the map is the mistake's, or is right again.
      if (name === "report" && isMistake(before, value)) rows(Array(nQ()).keys());
      if (name === "tokens" || name === "key_tokens") now.all = true;
      if (name === "head" && stackedHeads() > 1) inputs();
    },
    /** Everything that is marked, which is no longer marked then. */
    take(): Change {
      const change = now;
      now = nothing();
      return change;
    },
  };
}

const isMistake = (...reports: unknown[]) =>
  reports.some((report) => (report as Report | null)?.kind === "mistake");
