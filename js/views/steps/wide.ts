/** The flow on a wide card, in five columns: X, the weights, Q K V, the scores, and what becomes of them from top to bottom. */
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
import { above, below, curve, down, leftOf, rightOf } from "./curves";
import { type Arrow, type Chart, GAP, LEGIBLE, plans, type Sizes } from "./flow";

const GRID: (MatrixName | null)[][] = [
  ["embeddings", "W_q", "Q", "scores", "mask"],
  [null, "W_k", "K", null, "attention"],
  [null, "W_v", "V", null, "output"],
];
const MAPS: readonly MatrixName[] = ["scores", "mask", "attention"];

type Blocks = ReadonlyMap<MatrixName, Block>;
const blockOf = (blocks: Blocks, name: MatrixName) => blocks.get(name) as Block;

export function wideChart(width: number, sizes: Sizes, labels: Labels): Chart {
  const all = plans(sizes);
  const columns = [0, 1, 2, 3, 4]
    .map((c) => GRID.map((row) => row[c]).flatMap((name) => all.get(name as MatrixName) ?? []))
    .filter((column) => column.length);
  if (sizes.cross && sizes.inputs) columns[0]?.push(all.get("key_embeddings") as Plan);
  const { map, other } = cellWidths(width, columns, labels);
  const block = (plan: Plan) =>
    sized(plan, whole(MAPS.includes(plan.name) ? map : other), labels, whole(Math.min(map, other)));
  const blocks: Blocks = new Map(Array.from(all, ([name, plan]) => [name, block(plan)] as const));
  let height = place(width, columns, blocks);
  if (blocks.has("embeddings")) height = Math.max(height, placeInputs(blocks, sizes));
  const list = [...blocks.values()];
  const right = Math.max(...list.map((b) => b.x + b.width));
  return { width: right, height, wide: true, blocks: list, arrows: wideArrows(blocks, sizes) };
}

/** How wide the cells of the maps are, and those of the other matrices. */
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
  // Wide queries and keys are pictures anyway: the maps keep their numbers.
  if (even < LEGIBLE && readable >= 3) return { map: LEGIBLE, other: readable };
  if (even >= 12) return { map: even, other: even };
  const other = Math.min(12, (room * 0.45) / Math.max(1, others));
  return { map: Math.min(12, (room - other * others) / Math.max(1, mapCols)), other };
}

/** Put the blocks into their columns and rows, and say how high the rows are together. */
function place(width: number, columns: readonly Plan[][], blocks: Blocks): number {
  // In a row the cells are centred on one line, whatever stands above them.
  const rows = GRID.map((row) => {
    const list = row.flatMap(
      (name) => (name !== "embeddings" && blocks.get(name as MatrixName)) || [],
    );
    const top = Math.max(...list.map((b) => b.top));
    return { top, height: top + Math.max(...list.map((b) => b.height - b.top)) };
  });
  const [r1 = 0, r2 = 0, r3 = 0] = rows.map((row) => row.height);
  const tops = [0, r1 + GAP.y, r1 + r2 + 2 * GAP.y];
  const widths = columns.map((column) => {
    const placed = column.map(({ name }) => blockOf(blocks, name));
    return {
      left: Math.max(...placed.map((b) => b.left)),
      cells: Math.max(...placed.map((b) => b.width - b.left)),
    };
  });
  // A few small matrices are not crowded into a corner.
  const taken = widths.reduce((sum, w) => sum + w.left + w.cells, 0);
  const gap = Math.min(2 * GAP.x, (width - 2 - taken) / Math.max(1, columns.length - 1));
  let x = 0;
  for (const [c, column] of columns.entries()) {
    const { left, cells } = widths[c];
    for (const { name } of column) {
      const b = blockOf(blocks, name);
      b.x = x + left - b.left;
      const r = GRID.findIndex((row) => row.includes(name));
      const row = rows[Math.max(0, r)];
      const slack = row.height - row.top - (b.height - b.top);
      b.y = (tops[r] ?? 0) + row.top - b.top + slack / 2;
    }
    x += left + cells + gap;
  }
  return r1 + r2 + r3 + 2 * GAP.y;
}

/** Put X, and Y of the keys, beside the weights that they go through, and say where they end. */
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
  // K turns into the columns of the scores: from below.
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
