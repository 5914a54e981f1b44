/** The numbers that the cells of the map show: the quantity, or the difference to the state before the last edit. */
import { blankDifferences, differenceMap, showsDifference } from "../../state/difference";
import { blankCells, quantityMap } from "../../state/quantity";
import { isSigned, shownScale, type UsedScale } from "../../state/scale";
import type { Store } from "../../state/store";
import type { Matrix } from "../../wire/codec";

export interface Cells {
  data: Float32Array;
  /** 1 = a cell without a number. */
  blank: Uint8Array | Float32Array;
  scale: UsedScale;
  signed: boolean;
  isDifference: boolean;
}

export function cellsOf(store: Store): Cells {
  const between = store.runDifference;
  if (between) {
    // A cell that both runs mask has no difference to show.
    const blank = between.data.map((value, at) => Number(value === 0 && store.mask[at]));
    return { data: between.data, blank, scale: "map", signed: true, isDifference: true };
  }
  if (!showsDifference(store)) {
    return {
      ...{ data: quantityMap(store).data, blank: blankCells(store), isDifference: false },
      ...{ scale: shownScale(store), signed: isSigned(store) },
    };
  }
  const { data } = differenceMap(store) as Matrix;
  return { data, blank: blankDifferences(store), scale: "map", signed: true, isDifference: true };
}
