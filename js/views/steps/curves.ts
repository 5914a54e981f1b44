/** The ends and the shapes of the arrows between matrices. */
import type { Block } from "../../draw/matrix/block";

/** A point of an arrow. */
export interface Side {
  x: number;
  y: number;
}
export const rightOf = (b: Block): Side => ({
  x: b.x + b.width + 5,
  y: b.y + (b.top + b.height) / 2,
});
export const leftOf = (b: Block): Side => ({ x: b.x - 6, y: b.y + (b.top + b.height) / 2 });
export const below = (b: Block): Side => ({
  x: b.x + b.left + (b.cw * b.cols) / 2,
  y: b.y + b.height + 5,
});
export const above = (b: Block): Side => ({ x: b.x + b.left + (b.cw * b.cols) / 2, y: b.y - 3 });

export const curve = (a: Side, b: Side) => {
  const middle = (a.x + b.x) / 2;
  return `M${a.x} ${a.y}C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`;
};
export const down = (a: Side, b: Side) => {
  const middle = (a.y + b.y) / 2;
  return `M${a.x} ${a.y}C${a.x} ${middle} ${b.x} ${middle} ${b.x} ${b.y}`;
};
