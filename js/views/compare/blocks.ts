/** Where the three maps of a comparison lie, in CSS pixels: pure, so that it can be tested. */
import { type Block, TITLE } from "../../draw/matrix/block";

const [GAP, LABEL_GAP, LARGEST_CELL, LARGEST_MAP] = [16, 7, 50, 560];
/** The label of a first column narrower than a letter is tall reaches out by half a letter. */
const OVERHANG = 8;
/** Cards this wide have the maps beside each other, with the labels of rows at the first alone. */
const WIDE = 600;

/** `queries` and `keys` are the widths of the widest labels. */
export function blocks(
  width: number,
  rows: number,
  cols: number,
  queries: number,
  keys: number,
): Block[] {
  const beside = width >= WIDE;
  const left = Math.min(queries, beside ? 100 : width * 0.24) + LABEL_GAP;
  const room = beside ? (width - left - 2 * (GAP + OVERHANG)) / 3 : width - left;
  const fit = Math.min(LARGEST_CELL, room / cols, LARGEST_MAP / Math.max(rows, cols));
  const cell = fit >= 4 ? Math.floor(fit) : fit;
  const upright = keys > cell - 4;
  const top = TITLE + (upright ? Math.min(keys, 96) + 2 * LABEL_GAP : 20);
  return [0, 1, 2].map((at) => {
    const bare = at > 0 && beside;
    const from = bare ? OVERHANG : left;
    return {
      name: "attention",
      x: 0,
      y: 0,
      width: from + cell * cols,
      height: top + cell * rows,
      left: from,
      top,
      rows,
      cols,
      cw: cell,
      ch: cell,
      rowLabels: bare ? null : "queries",
      colLabels: "keys",
      upright,
      labelGap: LABEL_GAP,
    };
  });
}
