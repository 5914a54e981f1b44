/**
 * The arrays as they are shown: Python's own, and over them the rows and numbers that the page has
 * computed of a state that Python has not confirmed. Python's arrays are never written here.
 */
import { rescore } from "../maths/flow";
import { recomputeRows } from "../maths/rows";
import type { Flat } from "../wire/codec";
import type { Editable } from "../wire/schema";
import type { ArrayName, Mirror } from "./mirror";
import type { PageState } from "./reduce";

const BY_ROW = ["mask", "attention", "output"] as const;

/** The rows that Python has set since the last look; "all" where whole arrays came. */
export type Renewed = ReadonlySet<number> | "all";

export function createOverlay(mirror: Mirror, opened: PageState) {
  /** Copies of maps of Python's, in which the page's rows are written; kept for the next edit. */
  const copies = new Map<ArrayName, { of: Flat; data: Flat }>();
  let shown = opened;
  let isDeep = false;

  function flat(name: ArrayName): Flat | null {
    const confirmed = mirror.flat(name);
    const input = shown.inputs.get(name as Editable);
    if (input && input.length === confirmed?.length) return input;
    const copy = copies.get(name);
    return copy && copy.of === confirmed ? copy.data : confirmed;
  }

  function copy(name: ArrayName) {
    const of = mirror.flat(name);
    if (of && copies.get(name)?.of !== of) copies.set(name, { of, data: of.slice() });
  }

  /** Show Python's own numbers in a row. */
  function takeBack(row: number) {
    for (const name of BY_ROW) {
      const kept = copies.get(name);
      if (!kept) continue;
      const { of, data } = kept;
      const n = mirror.nQ();
      const heads = name === "mask" ? 1 : mirror.stackedHeads();
      const width = of.length / heads / n;
      for (let h = 0; h < heads; h++) {
        const at = (h * n + row) * width;
        data.set(of.subarray(at, at + width), at);
      }
    }
  }

  /** Whether every row follows from other inputs or factors than Python's. */
  const isDeepIn = ({ inputs, scale, temperature }: PageState) =>
    inputs.size > 0 || scale !== mirror.get("scale") || temperature !== mirror.get("temperature");

  function score({ inputs, scale }: PageState) {
    const isOther = inputs.has("Q") || inputs.has("K") || scale !== mirror.get("scale");
    if (!isOther || !mirror.flat("Q") || !mirror.flat("K")) {
      copies.delete("scores");
      return;
    }
    copy("scores");
    rescore(mirror.flow(flat, shown));
  }

  return {
    flat,
    /** The state that is shown. */
    get shown() {
      return shown;
    },
    /** Show a state; the rows that may have other numbers, or "all" with the inputs. */
    show(next: PageState, renewed: Renewed): Renewed {
      const before = shown;
      if (next === before && renewed !== "all" && renewed.size === 0) return renewed;
      const wasDeep = isDeep;
      shown = next;
      isDeep = isDeepIn(next);
      const { inputs, scale, temperature } = before;
      const isSame =
        isDeep === wasDeep &&
        inputs === next.inputs &&
        (!isDeep || (scale === next.scale && temperature === next.temperature));
      const isAll = renewed === "all" || !isSame;
      for (const [name, { of }] of copies) if (of !== mirror.flat(name)) copies.delete(name);
      if (isAll && !isDeep) copies.clear();
      if (isAll && isDeep) score(next);

      const rows = new Set(isAll ? Array(mirror.nQ()).keys() : renewed);
      if (!isAll) {
        for (const row of [...before.rows.keys(), ...next.rows.keys()]) {
          if (before.rows.get(row) !== next.rows.get(row)) rows.add(row);
        }
      }
      const computed = [...rows].filter((row) => isDeep || next.rows.has(row));
      if (computed.length) BY_ROW.forEach(copy);
      for (const row of rows) takeBack(row);
      const flow = mirror.flow(flat, next);
      for (const row of computed) {
        const bits = next.rows.get(row);
        if (bits) flow.mask.set(bits, row * flow.nK);
      }
      recomputeRows(flow, computed);
      return isAll ? "all" : rows;
    },
  };
}
