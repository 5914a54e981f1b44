/** A token drawn as a label. */
import { directionOf } from "../explain/tokens";

/**
 * Draw a label in the direction of its letters, so that the ellipsis of a Hebrew label stands at the left,
 * where the label ends. Numbers that are drawn later keep their direction.
 */
export function fillLabel(
  ctx: CanvasRenderingContext2D,
  label: string,
  x: number,
  y: number,
): void {
  ctx.direction = directionOf(label);
  ctx.fillText(label, x, y);
  ctx.direction = "ltr";
}
