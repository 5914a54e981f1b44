/** The ends and the paths of the arrows between matrices. */
import type { Block } from "../../draw/matrix/block";

/** The end of an arrow. */
interface Point {
  x: number;
  y: number;
}
export const rightOf = (b: Block): Point => ({
  x: b.x + b.width + 5,
  y: b.y + (b.top + b.height) / 2,
});
export const leftOf = (b: Block): Point => ({ x: b.x - 6, y: b.y + (b.top + b.height) / 2 });
export const below = (b: Block): Point => ({
  x: b.x + b.left + (b.cw * b.cols) / 2,
  y: b.y + b.height + 5,
});
export const above = (b: Block): Point => ({ x: b.x + b.left + (b.cw * b.cols) / 2, y: b.y - 3 });

export const curve = (a: Point, b: Point) => {
  const middle = (a.x + b.x) / 2;
  return `M${a.x} ${a.y}C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`;
};
/** To the right, around a corner, and up. */
export const elbow = (a: Point, b: Point) => {
  const bend = Math.max(0, Math.min(14, a.y - b.y, b.x - a.x));
  return `M${a.x} ${a.y}H${b.x - bend}Q${b.x} ${a.y} ${b.x} ${a.y - bend}V${b.y}`;
};
export const down = (a: Point, b: Point) => {
  const middle = (a.y + b.y) / 2;
  return `M${a.x} ${a.y}C${a.x} ${middle} ${b.x} ${middle} ${b.x} ${b.y}`;
};
