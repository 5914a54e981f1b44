/** The places of the three maps of a comparison, in CSS pixels. */
import { type Block, TITLE } from "../../draw/matrix/block";
import { everySlot } from "../../draw/matrix/slots";

const [GAP, LABEL_GAP, LARGEST_CELL, LARGEST_MAP] = [16, 7, 50, 560];
/** Room to the left of a map, because the turned label of a narrow first column is wider than the column. */
const OVERHANG = 8;
/** From this width on the maps are side by side, and only the first map has labels of rows. */
const WIDE = 600;

/** `queries` and `keys` are the widths of the widest labels. */
export function blocks(
  width: number,
  rows: number,
  cols: number,
  queries: number,
  keys: number,
): Block[] {
  const isWide = width >= WIDE;
  const left = Math.min(queries, isWide ? 100 : width * 0.24) + LABEL_GAP;
  const room = isWide ? (width - left - 2 * (GAP + OVERHANG)) / 3 : width - left;
  const fit = Math.min(LARGEST_CELL, room / cols, LARGEST_MAP / Math.max(rows, cols));
  const cell = fit >= 4 ? Math.floor(fit) : fit;
  const upright = keys > cell - 4;
  const top = TITLE + (upright ? Math.min(keys, 96) + 2 * LABEL_GAP : 20);
  const [rowSlots, colSlots] = [everySlot(rows), everySlot(cols)];
  return [0, 1, 2].map((at) => {
    const hasRowLabels = at === 0 || !isWide;
    const cellsLeft = hasRowLabels ? left : OVERHANG;
    return {
      name: "attention",
      x: 0,
      y: 0,
      width: cellsLeft + cell * cols,
      height: top + cell * rows,
      left: cellsLeft,
      top,
      rows,
      cols,
      rowSlots,
      colSlots,
      cw: cell,
      ch: cell,
      rowLabels: hasRowLabels ? "queries" : null,
      colLabels: "keys",
      upright,
      labelGap: LABEL_GAP,
    };
  });
}
