/** Where every matrix of the flow lies, in CSS pixels: pure, so that it can be tested. */
import type { MatrixName } from "../../explain/explain";

/** What the flow is made of. */
export interface Sizes {
  nQ: number;
  nK: number;
  dModel: number;
  dK: number;
  dV: number;
  /** Whether X and the weights are known; a model's are not. */
  inputs: boolean;
  /** Whether keys and values come from other tokens. */
  cross: boolean;
}

export interface Labels {
  /** Width of the widest query, of the widest key, in pixels. */
  queries: number;
  keys: number;
}

/** A matrix with its title and labels; `left` and `top` are where its cells begin inside it. */
export interface Block {
  name: MatrixName;
  x: number;
  y: number;
  width: number;
  height: number;
  left: number;
  top: number;
  rows: number;
  cols: number;
  cw: number;
  ch: number;
  rowLabels: "queries" | "keys" | null;
  colLabels: "keys" | null;
  /** Column labels stand upright where they are wider than a cell. */
  upright: boolean;
  /** Between them and the cells, if not 4. */
  labelGap?: number;
}

export interface Arrow {
  d: string;
  label?: { text: string; x: number; y: number };
}

export interface Chart {
  width: number;
  height: number;
  wide: boolean;
  blocks: Block[];
  arrows: Arrow[];
}

export const TITLE = 34;
const LARGEST = { width: 38, height: 26 };
const LONGEST = 72;
const GAP = { x: 36, least: 26, y: 30, label: 6 };
const WIDE = 780;
/** A cell this wide holds a signed number with a decimal. */
const LEGIBLE = 23;
/** Matrices of so few columns are read as numbers, larger ones as pictures. */
const FEW = 14;

type Plan = Omit<
  Block,
  "x" | "y" | "width" | "height" | "left" | "top" | "cw" | "ch" | "upright" | "labelGap"
>;

function plans(s: Sizes): Map<MatrixName, Plan> {
  const plan = (
    name: MatrixName,
    rows: number,
    cols: number,
    rowLabels: Plan["rowLabels"] = null,
    colLabels: Plan["colLabels"] = null,
  ): [MatrixName, Plan] => [name, { name, rows, cols, rowLabels, colLabels }];
  return new Map([
    ...(s.inputs
      ? [
          plan("embeddings", s.nQ, s.dModel, "queries"),
          ...(s.cross ? [plan("key_embeddings", s.nK, s.dModel, "keys")] : []),
          plan("W_q", s.dModel, s.dK),
          plan("W_k", s.dModel, s.dK),
          plan("W_v", s.dModel, s.dV),
        ]
      : []),
    plan("Q", s.nQ, s.dK, "queries"),
    plan("K", s.nK, s.dK, "keys"),
    plan("V", s.nK, s.dV, "keys"),
    plan("scores", s.nQ, s.nK, "queries", "keys"),
    plan("mask", s.nQ, s.nK, "queries", "keys"),
    plan("attention", s.nQ, s.nK, "queries", "keys"),
    plan("output", s.nQ, s.dV, "queries"),
  ]);
}

const labelWidth = (plan: Plan, labels: Labels) =>
  plan.rowLabels ? Math.min(LONGEST, Math.ceil(labels[plan.rowLabels])) + GAP.label : 0;

/** How tall a row is beside cells of this width: legible, and not a wall where there are many. */
function rowHeight(cw: number, rows: number): number {
  if (cw >= 16) return Math.min(LARGEST.height, Math.max(17, Math.round(cw * 0.76)));
  return Math.max(Math.min(cw, 12), Math.min(11, 240 / rows));
}

function sized(plan: Plan, cw: number, labels: Labels, least = cw): Block {
  const left = labelWidth(plan, labels);
  const upright = plan.colLabels !== null && labels.keys > cw - 4;
  const wanted = upright ? Math.min(LONGEST, labels.keys) + GAP.label : 16;
  // Labels that would overlap are left out: there is the hovered cell's own.
  const labelHeight = plan.colLabels ? (cw < 12 ? 0 : wanted) : 0;
  // Rows of tokens are as high in every matrix as in the one with the smallest cells.
  const ch = rowHeight(plan.rowLabels ? Math.min(cw, least) : cw, plan.rows);
  // A label may reach a little above its row.
  const top = TITLE + (labelHeight || 4);
  return {
    ...plan,
    upright,
    cw,
    ch,
    left,
    top,
    x: 0,
    y: 0,
    width: left + cw * plan.cols,
    height: top + ch * plan.rows,
  };
}

/** A map of attention by itself, in so much room. */
export function mapBlock(rows: number, cols: number, room: number): Block {
  const name = "attention";
  const plan = { name, rows, cols, rowLabels: "queries", colLabels: "keys" } as const;
  const labels = { queries: 44, keys: 30 };
  return sized(plan, whole(Math.min(LARGEST.width, room / cols)), labels);
}

const whole = (cw: number) => (cw >= 4 ? Math.floor(cw) : cw);

export function layout(width: number, sizes: Sizes, labels: Labels): Chart {
  const wide = wideChart(width, sizes, labels);
  const few = Math.max(sizes.nQ, sizes.nK, sizes.dModel, sizes.dK, sizes.dV) <= FEW;
  const legible = !few || wide.blocks.every((block) => block.cw >= LEGIBLE - 1);
  if (width >= WIDE && legible) return wide;
  const narrow = narrowChart(width, sizes, labels);
  // Not worth a long way down where it is no more legible.
  const better = narrow.blocks.some((block) => block.cw >= LEGIBLE);
  return width >= WIDE && !better ? wide : narrow;
}

/** Five columns: X, the weights, Q K V, the scores, and what becomes of them from top to bottom. */
function wideChart(width: number, sizes: Sizes, labels: Labels): Chart {
  const all = plans(sizes);
  const grid: (MatrixName | null)[][] = [
    ["embeddings", "W_q", "Q", "scores", "mask"],
    [null, "W_k", "K", null, "attention"],
    [null, "W_v", "V", null, "output"],
  ];
  const columns = [0, 1, 2, 3, 4]
    .map((c) => grid.map((row) => row[c]).flatMap((name) => all.get(name as MatrixName) ?? []))
    .filter((column) => column.length);
  if (sizes.cross && sizes.inputs) columns[0]?.push(all.get("key_embeddings") as Plan);
  const labelled = columns
    .map((column) => Math.max(...column.map((p) => labelWidth(p, labels))))
    .reduce((a, b) => a + b, 0);
  const room = width - labelled - GAP.least * (columns.length - 1) - 2;
  // Maps of tokens and matrices of numbers share the room evenly, until the maps need more.
  const counts = (names: readonly string[]) =>
    columns.map((column) =>
      Math.max(0, ...column.filter((p) => names.includes(p.name)).map((p) => p.cols)),
    );
  const maps = ["scores", "mask", "attention"];
  const mapCols = counts(maps).reduce((a, b) => a + b, 0);
  const perColumn = columns.map((column) => Math.max(...column.map((p) => p.cols)));
  const allCols = perColumn.reduce((a, b) => a + b, 0);
  let cw = Math.min(LARGEST.width, room / allCols);
  let cd = cw;
  const others = allCols - mapCols;
  const readable = (room - mapCols * LEGIBLE) / Math.max(1, others);
  if (cw < LEGIBLE && readable >= 3) {
    // Wide queries and keys are pictures anyway: the maps keep their numbers.
    [cw, cd] = [LEGIBLE, readable];
  } else if (cw < 12) {
    cd = Math.min(12, (room * 0.45) / Math.max(1, others));
    cw = Math.min(12, (room - cd * others) / Math.max(1, mapCols));
  }
  const block = (name: MatrixName) => {
    const plan = all.get(name) as Plan;
    return sized(plan, whole(maps.includes(name) ? cw : cd), labels, whole(Math.min(cw, cd)));
  };
  const blocks = new Map(Array.from(all.keys(), (name) => [name, block(name)] as const));
  const get = (name: MatrixName) => blocks.get(name) as Block;
  const has = (name: MatrixName) => blocks.has(name);

  // In a row the cells are centred on one line, whatever stands above them.
  const rows = grid.map((row) => {
    const list = row.flatMap((n) => (n && has(n) && n !== "embeddings" ? [get(n)] : []));
    const top = Math.max(...list.map((b) => b.top));
    return { top, height: top + Math.max(...list.map((b) => b.height - b.top)) };
  });
  const [r1 = 0, r2 = 0, r3 = 0] = rows.map((row) => row.height);
  let height = r1 + r2 + r3 + 2 * GAP.y;
  const tops = [0, r1 + GAP.y, r1 + r2 + 2 * GAP.y];
  const widths = columns.map((column) => {
    const left = Math.max(...column.map((p) => get(p.name).left));
    return { left, cells: Math.max(...column.map((p) => get(p.name).width - get(p.name).left)) };
  });
  // A few small matrices are not crowded into a corner.
  const taken = widths.reduce((sum, w) => sum + w.left + w.cells, 0);
  const gap = Math.min(2 * GAP.x, (width - 2 - taken) / Math.max(1, columns.length - 1));
  let x = 0;
  for (const [c, column] of columns.entries()) {
    const { left, cells } = widths[c] as (typeof widths)[number];
    for (const { name } of column) {
      const b = get(name);
      b.x = x + left - b.left;
      const r = grid.findIndex((row) => row.includes(name));
      const row = rows[Math.max(0, r)] as (typeof rows)[number];
      const slack = row.height - row.top - (b.height - b.top);
      b.y = (tops[r] ?? 0) + row.top - b.top + slack / 2;
    }
    x += left + cells + gap;
  }
  if (has("embeddings")) {
    const X = get("embeddings");
    const middle = (a: MatrixName, b: MatrixName) =>
      (get(a).y + get(a).top + get(b).y + get(b).height) / 2;
    const centre = sizes.cross
      ? get("W_q").y + get("W_q").height / 2
      : middle("W_k", "W_k") - X.top / 2;
    X.y = Math.max(0, centre - X.height / 2);
    if (sizes.cross) {
      const Y = get("key_embeddings");
      Y.y = Math.max(X.y + X.height + GAP.y, middle("W_k", "W_v") - Y.height / 2 - Y.top / 2);
      height = Math.max(height, Y.y + Y.height);
    }
    height = Math.max(height, X.y + X.height);
  }
  const list = [...blocks.values()];
  const right = Math.max(...list.map((b) => b.x + b.width));
  return { width: right, height, wide: true, blocks: list, arrows: wideArrows(get, has, sizes) };
}

interface Side {
  x: number;
  y: number;
}
const rightOf = (b: Block): Side => ({ x: b.x + b.width + 5, y: b.y + (b.top + b.height) / 2 });
const leftOf = (b: Block): Side => ({ x: b.x - 6, y: b.y + (b.top + b.height) / 2 });
const below = (b: Block): Side => ({
  x: b.x + b.left + (b.cw * b.cols) / 2,
  y: b.y + b.height + 5,
});
const above = (b: Block): Side => ({ x: b.x + b.left + (b.cw * b.cols) / 2, y: b.y - 3 });

const curve = (a: Side, b: Side) => {
  const middle = (a.x + b.x) / 2;
  return `M${a.x} ${a.y}C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`;
};
const down = (a: Side, b: Side) => {
  const middle = (a.y + b.y) / 2;
  return `M${a.x} ${a.y}C${a.x} ${middle} ${b.x} ${middle} ${b.x} ${b.y}`;
};

function wideArrows(
  get: (name: MatrixName) => Block,
  has: (name: MatrixName) => boolean,
  sizes: Sizes,
): Arrow[] {
  const arrows: Arrow[] = [];
  const join = (a: MatrixName, b: MatrixName) =>
    arrows.push({ d: curve(rightOf(get(a)), leftOf(get(b))) });
  if (has("embeddings")) {
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

/** One under the other, a weight beside what it makes: nothing to scroll sideways for. */
function narrowChart(width: number, sizes: Sizes, labels: Labels): Chart {
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
