/** The table of the colours of the map. */
import { type Lut, lut, signedLut } from "../../draw/color";
import type { Theme } from "../../draw/theme";
import type { Store } from "../../state/store";
import type { Cells } from "./cells";

/** Return a function that gives the table for these cells, and whether it is another table than before. */
export function createTable(store: Store, theme: Theme) {
  let table: Lut;
  let key = "";
  return ({ signed, isDifference }: Cells) => {
    const next = JSON.stringify([signed, isDifference, theme.dark, store.get("cmap")]);
    const isNew = next !== key;
    if (isNew) table = signed ? signedLut(theme.dark) : lut(store.get("cmap"));
    key = next;
    return { table, isNew };
  };
}
