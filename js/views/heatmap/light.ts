/** The cells that the last edit has changed light up. */
import { flash } from "../../draw/matrix/flash";
import { changedCells } from "../../state/difference";
import type { Store } from "../../state/store";
import type { Geometry } from "./geometry";

/** Light up the cells that show other numbers than before the last edit; return how many there are. */
export function lightChanges(
  store: Store,
  map: HTMLElement,
  { left, top, cell, nQ, nK }: Geometry,
  color: string,
): number {
  const { rows } = store.before;
  const changed = Array.from({ length: nQ }, (_, q) => (!rows || rows.has(q) ? q : null));
  const cols = Array.from({ length: nK }, (_, k) => k);
  const area = { left, top, cw: cell, ch: cell, rows: changed, cols };
  return flash(map, area, changedCells(store, changed), color);
}
