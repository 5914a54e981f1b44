/** The edit that a click on a label of the map makes, and the words that announce the edit. */
import { changeWords } from "../explain/knock-outs";
import { visible } from "../explain/tokens";
import type { At } from "../state/knockouts";
import type { Store } from "../state/store";
import type { Label } from "../ui/focus";

/** Every cell of the row or column of a label, as flat indices. */
function cellsOf({ nQ, nK }: Store, { side, index }: Label): number[] {
  return side === "query"
    ? Array.from({ length: nK }, (_, k) => index * nK + k)
    : Array.from({ length: nQ }, (_, q) => q * nK + index);
}

/** The cells that change: they are masked, or freed where no cell is left to mask. Cells that the model masks stay. */
export function labelEdit(store: Store, label: Label): { free: boolean; cells: number[] } {
  const unlocked = cellsOf(store, label).filter((cell) => !store.locked?.[cell]);
  const open = unlocked.filter((cell) => !store.mask[cell]);
  const free = unlocked.length > 0 && open.length === 0;
  return { free, cells: free ? unlocked : open };
}

/** The row or the column of a label, as a knock-out has it. */
export const atLabel = ({ side, index }: Label): At =>
  side === "query" ? [index, null] : [null, index];

/** Do what a click on a label does. */
export function actOnLabel(store: Store, label: Label): void {
  if (store.knocks) {
    const at = atLabel(label);
    store.knockOut([at], store.knockOutAt(at).add.length > 0, store.stroke());
    return;
  }
  const { free, cells } = labelEdit(store, label);
  store.paint(cells, !free, store.stroke());
}

export const labelToken = (store: Store, { side, index }: Label): string =>
  visible((side === "query" ? store.tokens : store.keyTokens)[index]);

/** For example "A click masks 6 cells: the whole row." */
export function labelWords(store: Store, label: Label): string {
  if (store.knocks) return changeWords(store.knockOutAt(atLabel(label)), store.aim);
  const { free, cells } = labelEdit(store, label);
  const line = label.side === "query" ? "row" : "column";
  if (!cells.length) return `The model itself masks every cell of this ${line}.`;
  const count = `${cells.length} cell${cells.length === 1 ? "" : "s"}`;
  return free
    ? `A click frees ${count}: the whole ${line}.`
    : `A click masks ${count} of this ${line}.`;
}
