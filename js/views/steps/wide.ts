/** The flow on a wide card, in five columns: X; the projections; Q, K and V; the scores; mask, attention and output. */
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
import { above, below, curve, down, leftOf, rightOf } from "./curves";
import { type Arrangement, type Arrow, GAP, LEGIBLE, plans, type Sizes } from "./flow";
import { offsetIn, rowOf } from "./row";

const GRID: (MatrixName | null)[][] = [
  ["embeddings", "W_q", "Q", "scores", "mask"],
  [null, "W_k", "K", null, "attention"],
  [null, "W_v", "V", null, "output"],
];
const MAPS: readonly MatrixName[] = ["scores", "mask", "attention"];

type Blocks = ReadonlyMap<MatrixName, Block>;
const blockOf = (blocks: Blocks, name: MatrixName) => blocks.get(name) as Block;

export function wideChart(width: number, sizes: Sizes, labels: Labels): Arrangement {
  const all = plans(sizes);
  const columns = [0, 1, 2, 3, 4]
    .map((c) => GRID.map((row) => row[c]).flatMap((name) => all.get(name as MatrixName) ?? []))
    .filter((column) => column.length);
  if (sizes.cross && sizes.inputs) columns[0]?.push(all.get("key_embeddings") as Plan);
  const { map, other } = cellWidths(width, columns, labels);
  const block = (plan: Plan) =>
    createBlock(
      plan,
      wholePixels(MAPS.includes(plan.name) ? map : other),
      labels,
      wholePixels(Math.min(map, other)),
    );
  const blocks: Blocks = new Map(Array.from(all, ([name, plan]) => [name, block(plan)] as const));
  let height = place(width, columns, blocks);
  if (blocks.has("embeddings")) height = Math.max(height, placeInputs(blocks, sizes));
  const arrows = wideArrows(blocks, sizes);
  return { height, wide: true, blocks: [...blocks.values()], arrows };
}

/** The widths of the cells of the maps and of the cells of the other matrices. */
function cellWidths(
  width: number,
  columns: readonly Plan[][],
  labels: Labels,
): { map: number; other: number } {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const labelled = sum(
    columns.map((column) => Math.max(...column.map((p) => labelWidth(p, labels)))),
  );
  const room = width - labelled - GAP.least * (columns.length - 1) - 2;
  const widest = (plans: readonly Plan[]) => Math.max(0, ...plans.map((p) => p.cols));
  const mapCols = sum(columns.map((column) => widest(column.filter((p) => MAPS.includes(p.name)))));
  const allCols = sum(columns.map(widest));
  // Maps of tokens and matrices of numbers share the room evenly, until the maps need more.
  const even = Math.min(LARGEST.width, room / allCols);
  const others = allCols - mapCols;
  const readable = (room - mapCols * LEGIBLE) / Math.max(1, others);
  // Where queries and keys are too wide for numbers, the maps keep cells that are wide enough for numbers.
  if (even < LEGIBLE && readable >= 3) return { map: LEGIBLE, other: readable };
  if (even >= 12) return { map: even, other: even };
  const other = Math.min(12, (room * 0.45) / Math.max(1, others));
  return { map: Math.min(12, (room - other * others) / Math.max(1, mapCols)), other };
}

/** Place the blocks in columns and rows; returns the height of the rows. */
function place(width: number, columns: readonly Plan[][], blocks: Blocks): number {
  const rows = GRID.map((names) =>
    rowOf(names.flatMap((name) => (name !== "embeddings" && blocks.get(name as MatrixName)) || [])),
  );
  const [r1, r2, r3] = rows.map(({ top, cells }) => top + cells);
  const tops = [0, r1 + GAP.y, r1 + r2 + 2 * GAP.y];
  const widths = columns.map((column) => {
    const placed = column.map(({ name }) => blockOf(blocks, name));
    return {
      left: Math.max(...placed.map((b) => b.left)),
      cells: Math.max(...placed.map((b) => b.width - b.left)),
    };
  });
  // Where the matrices are small, the gaps grow up to twice their size.
  const taken = widths.reduce((sum, w) => sum + w.left + w.cells, 0);
  const gap = Math.min(2 * GAP.x, (width - 2 - taken) / Math.max(1, columns.length - 1));
  let x = 0;
  for (const [c, column] of columns.entries()) {
    const { left, cells } = widths[c];
    for (const { name } of column) {
      const b = blockOf(blocks, name);
      b.x = x + left - b.left;
      const r = GRID.findIndex((row) => row.includes(name));
      b.y = (tops[r] ?? 0) + offsetIn(rows[Math.max(0, r)], b);
    }
    x += left + cells + gap;
  }
  return r1 + r2 + r3 + 2 * GAP.y;
}

/** Place X, and Y in cross-attention, beside the projections that they are multiplied with; returns their lower end. */
function placeInputs(blocks: Blocks, { cross }: Sizes): number {
  const get = (name: MatrixName) => blockOf(blocks, name);
  const X = get("embeddings");
  const middle = (a: MatrixName, b: MatrixName) =>
    (get(a).y + get(a).top + get(b).y + get(b).height) / 2;
  const centre = cross ? get("W_q").y + get("W_q").height / 2 : middle("W_k", "W_k") - X.top / 2;
  X.y = Math.max(0, centre - X.height / 2);
  if (!cross) return X.y + X.height;
  const Y = get("key_embeddings");
  Y.y = Math.max(X.y + X.height + GAP.y, middle("W_k", "W_v") - Y.height / 2 - Y.top / 2);
  return Y.y + Y.height;
}

function wideArrows(blocks: Blocks, sizes: Sizes): Arrow[] {
  const get = (name: MatrixName) => blockOf(blocks, name);
  const arrows: Arrow[] = [];
  const join = (a: MatrixName, b: MatrixName) =>
    arrows.push({ d: curve(rightOf(get(a)), leftOf(get(b))) });
  if (blocks.has("embeddings")) {
    const keys = sizes.cross ? "key_embeddings" : "embeddings";
    join("embeddings", "W_q");
    join(keys, "W_k");
    join(keys, "W_v");
    join("W_q", "Q");
    join("W_k", "K");
    join("W_v", "V");
  }
  join("Q", "scores");
  // The arrow of K enters the scores from below, because each key becomes a column of the scores.
  const [from, to] = [rightOf(get("K")), below(get("scores"))];
  const bend = Math.min(16, Math.max(0, from.y - to.y));
  arrows.push({
    d: `M${from.x} ${from.y}H${to.x - bend}Q${to.x} ${from.y} ${to.x} ${from.y - bend}V${to.y}`,
  });
  join("scores", "mask");
  for (const [a, b, text] of [
    ["mask", "attention", "softmax"],
    ["attention", "output", "× V"],
  ] as const) {
    const [start, end] = [below(get(a)), above(get(b))];
    end.x = start.x;
    arrows.push({ d: down(start, end), label: { text, x: start.x + 8, y: (start.y + end.y) / 2 } });
  }
  join("V", "output");
  return arrows;
}
