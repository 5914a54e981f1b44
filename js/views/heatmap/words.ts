/** The edit that a click on a label makes, and the tooltip that announces the edit. */
import type { Store } from "../../state/store";

/** Mask the cells of a row or column, or free them where all of them are masked; cells that the model masks stay. */
export function labelEdit(
  store: Store,
  cells: readonly number[],
): { free: boolean; cells: number[] } {
  const unlocked = cells.filter((cell) => !store.locked?.[cell]);
  const free = unlocked.length > 0 && unlocked.every((cell) => store.mask[cell]);
  return { free, cells: unlocked };
}

export function labelTitle(store: Store, row: number | null, column: number | null): string {
  if (row !== null) {
    return `“${store.tokens[row]}” as query: a click masks or frees its whole row`;
  }
  if (column !== null) {
    return `“${store.keyTokens[column]}” as key: a click masks or frees its whole column`;
  }
  return "";
}
