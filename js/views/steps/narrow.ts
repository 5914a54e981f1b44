/** The flow on a narrow card: the matrices below each other. */
import {
  type Block,
  createBlock,
  LARGEST,
  type Labels,
  labelWidth,
  type Plan,
  wholePixels,
} from "../../draw/matrix/block";
import type { MatrixName } from "../../explain/explain";
import { curve, down, leftOf, rightOf } from "./curves";
import { type Arrangement, type Arrow, GAP, plans, type Sizes } from "./flow";
import { offsetIn, rowOf } from "./row";

/** The rows of the chart; a row that does not fit is split into rows of a matrix each. */
const ROWS: MatrixName[][] = [
  ["embeddings", "key_embeddings"],
  ["W_q", "Q"],
  ["W_k", "K"],
  ["W_v", "V"],
  ["scores", "mask"],
  ["attention", "output"],
];

/** Pairs of which the first flows into the second; an arrow joins them where they are neighbours. */
const FLOWS: readonly (readonly [MatrixName, MatrixName])[] = [
  ["embeddings", "W_q"],
  ["W_q", "Q"],
  ["W_k", "K"],
  ["W_v", "V"],
  ["scores", "mask"],
  ["scores", "attention"],
  ["mask", "attention"],
  ["attention", "output"],
];
const ROW_GAP = 24;

export function narrowChart(width: number, sizes: Sizes, labels: Labels): Arrangement {
  const all = plans(sizes);
  const blocks: Block[] = [];
  const rows: Block[][] = [];
  let y = 0;
  for (const names of ROWS) {
    const group = names.flatMap((name) => all.get(name) ?? []);
    for (const plansOfRow of wrap(group, width, labels)) {
      const cw = wholePixels(Math.min(LARGEST.width, cellWidth(plansOfRow, width - 2, labels)));
      const placed = plansOfRow.map((plan) => createBlock(plan, cw, labels));
      const row = rowOf(placed);
      let x = 0;
      for (const block of placed) {
        block.x = x;
        block.y = y + offsetIn(row, block);
        x += block.width + GAP.x;
      }
      rows.push(placed);
      blocks.push(...placed);
      y += row.top + row.cells + ROW_GAP;
    }
  }
  return { height: y - ROW_GAP, wide: false, blocks, arrows: arrowsOf(rows) };
}

/** Arrows between neighbours: beside each other, or the first matrices of two rows below each other. */
function arrowsOf(rows: readonly Block[][]): Arrow[] {
  const flows = (a: Block, b: Block) =>
    FLOWS.some(([from, to]) => from === a.name && to === b.name);
  return rows.flatMap((row, at) => {
    const [first, second] = row;
    const next = rows[at + 1]?.[0];
    const arrows: Arrow[] = [];
    if (second && flows(first, second)) arrows.push({ d: curve(rightOf(first), leftOf(second)) });
    if (next && flows(first, next)) {
      const x = first.x + first.left + first.cw / 2;
      // A lower neighbour makes its row higher, and the arrow longer.
      arrows.push({ d: down({ x, y: first.y + first.height + 4 }, { x, y: next.y - 3 }) });
    }
    return arrows;
  });
}

/** The width at which the cells of matrices side by side fill `width`. */
function cellWidth(plans: readonly Plan[], width: number, labels: Labels): number {
  const sum = (size: (plan: Plan) => number) =>
    plans.reduce((total, plan) => total + size(plan), 0);
  const fixed = sum((plan) => labelWidth(plan, labels)) + GAP.x * (plans.length - 1);
  return (width - fixed) / sum((plan) => plan.colSlots.indices.length);
}

/** A single row where the cells there can hold a number or are nearly as wide as alone; else a row for each matrix. */
function wrap(group: Plan[], width: number, labels: Labels): Plan[][] {
  if (group.length < 2) return group.length ? [group] : [];
  const together = cellWidth(group, width, labels);
  const alone = Math.min(LARGEST.width, ...group.map((plan) => cellWidth([plan], width, labels)));
  return together >= 28 || together >= alone * 0.9 ? [group] : group.map((plan) => [plan]);
}
