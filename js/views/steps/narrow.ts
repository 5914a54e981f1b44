/** The flow on a narrow card. */
import {
  type Block,
  LARGEST,
  type Labels,
  labelWidth,
  type Plan,
  sized,
  whole,
} from "../../draw/matrix/block";
import type { MatrixName } from "../../explain/explain";
import { curve, leftOf, rightOf } from "./curves";
import { type Arrow, type Chart, GAP, plans, type Sizes } from "./flow";

/** One under the other, a weight beside what it makes: nothing to scroll sideways for. */
export function narrowChart(width: number, sizes: Sizes, labels: Labels): Chart {
  const all = plans(sizes);
  const groups: MatrixName[][] = [
    ["embeddings", "key_embeddings"],
    ["W_q", "Q"],
    ["W_k", "K"],
    ["W_v", "V"],
    ["scores", "mask"],
    ["attention", "output"],
  ];
  const blocks: Block[] = [];
  const arrows: Arrow[] = [];
  let y = 0;
  let right = 0;
  for (const names of groups) {
    const group = names.flatMap((name) => all.get(name) ?? []);
    for (const row of wrap(group, width, labels)) {
      const fixed =
        row.reduce((sum, p) => sum + labelWidth(p, labels), 0) + GAP.x * (row.length - 1);
      const cols = row.reduce((sum, p) => sum + p.cols, 0);
      const cw = whole(Math.min(LARGEST.width, (width - fixed - 2) / cols));
      const placed = row.map((plan) => sized(plan, cw, labels));
      const top = Math.max(...placed.map((b) => b.top));
      const cells = Math.max(...placed.map((b) => b.height - b.top));
      const height = top + cells;
      let x = 0;
      for (const b of placed) {
        b.x = x;
        b.y = y + top - b.top + (cells - (b.height - b.top)) / 2;
        x += b.width + GAP.x;
        right = Math.max(right, b.x + b.width);
      }
      const [first, second] = placed;
      if (first && second && first.name !== "embeddings") {
        arrows.push({ d: curve(rightOf(first), leftOf(second)) });
      }
      blocks.push(...placed);
      y += height + GAP.y * 0.75;
    }
  }
  return { width: right, height: y - GAP.y * 0.75, wide: false, blocks, arrows };
}

/** Blocks on one line where their cells can hold a number there, else each on a line of its own. */
function wrap(group: Plan[], width: number, labels: Labels): Plan[][] {
  if (group.length < 2) return group.length ? [group] : [];
  const fixed =
    group.reduce((sum, p) => sum + labelWidth(p, labels), 0) + GAP.x * (group.length - 1);
  const together = (width - fixed) / group.reduce((sum, p) => sum + p.cols, 0);
  const alone = Math.min(
    ...group.map((p) => Math.min(LARGEST.width, (width - labelWidth(p, labels)) / p.cols)),
  );
  return together >= 28 || together >= alone * 0.9 ? [group] : group.map((p) => [p]);
}
