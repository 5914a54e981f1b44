/** What a click on a label does, as an edit and in words. */
import type { Store } from "../../state/store";

/** Mask the free cells of a line, or free the line where no cell is free. */
export function labelEdit(
  store: Store,
  cells: readonly number[],
): { free: boolean; cells: number[] } {
  const own = cells.filter((cell) => !store.locked?.[cell]);
  return { free: own.length > 0 && own.every((cell) => store.mask[cell]), cells: own };
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
