/** The flow on a wide card, in five columns: X; the projections; Q, K and V; scores and mask; attention and output. */
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
import { above, below, curve, down, elbow, leftOf, rightOf } from "./curves";
import { type Arrangement, type Arrow, type Free, GAP, LEGIBLE, plans, type Sizes } from "./flow";
import { offsetIn, rowOf } from "./row";

const GRID: (MatrixName | null)[][] = [
  ["embeddings", "W_q", "Q", "scores", "attention"],
  [null, "W_k", "K", "mask", "output"],
  [null, "W_v", "V", null, null],
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
  return { height, wide: true, blocks: [...blocks.values()], arrows, free: freeCorner(blocks) };
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
  const widest = (plans: readonly Plan[]) =>
    Math.max(0, ...plans.map((p) => p.colSlots.indices.length));
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
  join("scores", "attention");
  // The arrows of K and of the mask end below the arrows of Q and of the scores.
  for (const [from, to] of [
    ["K", "scores"],
    ["mask", "attention"],
  ] as const) {
    const end = leftOf(get(to));
    arrows.push({
      d: curve(rightOf(get(from)), { x: end.x, y: end.y + Math.min(14, get(to).ch) }),
    });
  }
  const [attention, output] = [below(get("attention")), above(get("output"))];
  arrows.push({ d: down({ x: output.x, y: attention.y }, output) });
  // The arrow of V enters the output from below, and leaves the room below the maps free.
  arrows.push({ d: elbow({ x: rightOf(get("V")).x, y: branchOf(blocks) }, below(get("output"))) });
  return arrows;
}

/** The height of the arrow of V: the first row of V, because the room below stays free. */
function branchOf(blocks: Blocks): number {
  const V = blockOf(blocks, "V");
  return V.y + V.top + V.ch / 2;
}

/** The room below the mask and the output, beside V. */
function freeCorner(blocks: Blocks): Free {
  const [scores, mask] = [blockOf(blocks, "scores"), blockOf(blocks, "mask")];
  const right = Math.max(...[...blocks.values()].map((b) => b.x + b.width));
  const x = Math.min(scores.x, mask.x);
  return { x, y: branchOf(blocks) + 12, width: right - x };
}
