/** Lines over masked cells: they are told by texture too, and not by their colour alone. */

/** A cell of fewer pixels has no room for a line. */
export const SMALLEST_HATCHED = 2;

/** The distance of the lines, along a row: small cells have closer lines, so that a line crosses each cell. */
const distance = (cell: number) => (cell >= 24 ? 8 : cell >= 6 ? 6 : 4);

interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * Hatch a path of cells. The lines run over the whole `area`, because the lines of rows that are painted one after
 * the other must meet. `directions` are 1 for lines that rise to the right, and −1 for lines that fall.
 */
export function hatch(
  ctx: CanvasRenderingContext2D,
  path: Path2D,
  { left, top, width, height }: Area,
  cell: number,
  color: string,
  directions: readonly (1 | -1)[] = [1],
): void {
  ctx.save();
  ctx.clip(path);
  ctx.strokeStyle = color;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const direction of directions) {
    for (let d = -height; d < width + height; d += distance(cell)) {
      ctx.moveTo(left + d, top + (direction > 0 ? height : 0));
      ctx.lineTo(left + d + height, top + (direction > 0 ? 0 : height));
    }
  }
  ctx.stroke();
  ctx.restore();
}
