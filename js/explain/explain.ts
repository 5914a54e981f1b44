/** Where one number comes from: in words and numbers, as a line of NumPy, and which cells it reads. */

import { extent } from "../maths/extent";
import { angle, sinusoidal } from "../maths/positions";
import type { ArrayName } from "../state/mirror";
import type { Store } from "../state/store";
import type { Matrix } from "../wire/codec";
import type { Editable } from "../wire/schema";
import { exact, exactList, number, operand, sum, two, weight } from "./numbers";
import { visible } from "./tokens";

export type MatrixName = Editable | "scores" | "mask" | "attention" | "output";

/** Rows and columns of another matrix that a number is computed from. */
export interface Source {
  name: MatrixName;
  row?: number;
  col?: number;
}

export interface Explanation {
  value: number;
  /** What it is, then how it is computed: a line ends with its result. */
  lines: string[];
  /** An expression that gives the number where `np` is NumPy. */
  numpy: string;
  sources: Source[];
}

const row = (m: Matrix, r: number) => Array.from(m.data.subarray(r * m.cols, (r + 1) * m.cols));
const column = (m: Matrix, c: number) =>
  Array.from({ length: m.rows }, (_, r) => m.data[r * m.cols + c]);
const at = (m: Matrix, r: number, c: number) => m.data[r * m.cols + c];
const products = (a: readonly number[], b: readonly number[]) =>
  a.map((x, i) => `${two(x)}·${operand(b[i])}`);

export function explain(store: Store, name: MatrixName, r: number, c: number): Explanation {
  const wrong = name === "attention" || name === "output" ? store.mistaken : null;
  if (wrong) return explainMistake(store, wrong, name as "attention", r, c);
  switch (name) {
    case "scores":
      return explainScore(store, r, c);
    case "mask":
      return explainMask(store, r, c);
    case "attention":
      return explainWeight(store, r, c);
    case "output":
      return explainOutput(store, r, c);
    case "Q":
    case "K":
    case "V":
      return explainProjection(store, name, r, c);
    default:
      return explainInput(store, name, r, c);
  }
}

function explainMistake(
  store: Store,
  wrong: NonNullable<Store["mistaken"]>,
  name: "attention" | "output",
  r: number,
  c: number,
): Explanation {
  const value = at(wrong[name], r, c);
  const right = at(need(store, name), r, c);
  const row_ = row(wrong.attention, r);
  const total = row_.reduce((a, b) => a + b, 0);
  return {
    value,
    lines: [
      `with the mistake ${wrong.name} = ${number(value)}`,
      `right would be = ${number(right)}`,
      `this row sums to = ${number(total)}`,
    ],
    numpy: exact(value),
    sources: [{ name: "scores", row: r }],
  };
}

function explainInput(store: Store, name: Editable, r: number, c: number): Explanation {
  const value = at(need(store, name), r, c);
  const lines = [`${number(value)}, ${origin(store, name, r, c)}`];
  if (name.endsWith("embeddings") && store.get("positional") === "sinusoidal") {
    const { added, says } = position(store, name, r, c);
    lines.push(`its position adds ${says} = ${two(added)}`);
  }
  return { value, lines, numpy: exact(value), sources: [] };
}

function origin(store: Store, name: Editable, r: number, c: number): string {
  if (store.isByHand(name, r, c)) return "set by hand";
  if (store.get("given").includes(name)) return "given as it is";
  const seed = store.get("seed");
  return name.endsWith("embeddings")
    ? `drawn from [0, 1) with seed ${seed}`
    : `${store.get("init")} weights, seed ${seed}`;
}

function position(store: Store, name: Editable, r: number, c: number) {
  const d = need(store, name).cols;
  const turn = c % 2 ? "cos" : "sin";
  return {
    added: sinusoidal(r, c, d),
    says: `${turn}(${r} ÷ 10000^(${c - (c % 2)}/${d}))`,
  };
}

function explainProjection(store: Store, name: "Q" | "K" | "V", r: number, c: number): Explanation {
  const made = need(store, name);
  const value = at(made, r, c);
  const weights = `W_${name.toLowerCase()}` as "W_q";
  const W = store.matrix(weights);
  const input = name !== "Q" && store.matrix("key_embeddings") ? "key_embeddings" : "embeddings";
  const X = store.matrix(input);
  const hand = store.isByHand(name, r, c);
  if (!X || !W || hand || store.get("given").includes(name)) {
    const from = X ? "given as it is" : "captured from the model";
    const lines = [`${number(value)}, ${hand ? "set by hand" : from}`];
    return { value, lines, numpy: exact(value), sources: [] };
  }
  const sinus = store.get("positional") === "sinusoidal";
  const x = row(X, r).map((v, m) => v + (sinus ? sinusoidal(r, m, X.cols) : 0));
  const sources = [
    { name: input, row: r },
    { name: weights, col: c },
  ] as Source[];
  const dot = (col: number) => `np.dot(${exactList(x)}, ${exactList(column(W, col))})`;
  const head = sinus ? "(x + position)·w" : "x·w";
  if (store.get("positional") !== "rotary" || name === "V") {
    const lines = [`${head} = ${sum(products(x, column(W, c)))} = ${number(value)}`];
    return { value, lines, numpy: dot(c), sources };
  }
  const first = c - (c % 2);
  const pair = [first, first + 1].map((col) => x.reduce((s, v, m) => s + v * at(W, m, col), 0));
  const theta = angle(r, c, made.cols);
  const [a, b] = pair;
  const angles = `θ = ${r} ÷ 10000^(${first}/${made.cols}) = ${two(theta)}`;
  const turned =
    c % 2 ? `${two(a)}·sin(θ) + ${two(b)}·cos(θ)` : `${two(a)}·cos(θ) − ${two(b)}·sin(θ)`;
  const [f, g, sign] = c % 2 ? ["sin", "cos", "+"] : ["cos", "sin", "-"];
  return {
    value,
    lines: [
      `x·w = ${sum(products(x, column(W, first)))} = ${two(a)}`,
      `x·w′ = ${sum(products(x, column(W, first + 1)))} = ${two(b)}`,
      `turned by ${angles}: ${turned} = ${number(value)}`,
    ],
    numpy: `${dot(first)} * np.${f}(${theta}) ${sign} ${dot(first + 1)} * np.${g}(${theta})`,
    sources: [...sources, { name: weights, col: c % 2 ? c - 1 : c + 1 }],
  };
}

export function explainScore(store: Store, r: number, c: number): Explanation {
  const value = at(need(store, "scores"), r, c);
  const [Q, K] = [store.matrix("Q"), store.matrix("K")];
  if (!Q || !K) {
    return { value, lines: [], numpy: exact(value), sources: [] };
  }
  const { scale } = store;
  const bias = store.matrix("bias");
  const added = bias ? at(bias, r, c) : 0;
  const dot = row(Q, r).reduce((s, x, i) => s + x * at(K, c, i), 0);
  const root = Math.abs(scale * Math.sqrt(Q.cols) - 1) < 1e-6;
  const scaled = root ? `÷ √${Q.cols}` : `× ${Number(scale.toPrecision(3))}`;
  const factor = root ? `/ np.sqrt(${Q.cols})` : `* ${scale}`;
  const cap = store.get("softcap");
  const plain = `np.dot(${exactList(row(Q, r))}, ${exactList(row(K, c))}) ${factor}`;
  const bounded = cap ? `${cap} * np.tanh(${plain} / ${cap})` : plain;
  return {
    value,
    lines: [
      `q·k = ${sum(products(row(Q, r), row(K, c)))} = ${number(dot)}`,
      ...(cap
        ? [
            `${number(dot)} ${scaled} = ${number(dot * scale)}`,
            `${cap} · tanh(${number(dot * scale)} ÷ ${cap})${plus(store, added)} = ${number(value)}`,
          ]
        : [`${number(dot)} ${scaled}${plus(store, added)} = ${number(value)}`]),
    ],
    numpy: `${bounded}${bias ? ` + ${exact(added)}` : ""}`,
    sources: [
      { name: "Q", row: r },
      { name: "K", row: c },
    ],
  };
}

/** What is added to a score, and why. */
function plus(store: Store, added: number): string {
  if (!store.matrix("bias") || (!added && store.get("positional") !== "alibi")) return "";
  const alibi = store.get("positional") === "alibi";
  const sign = added < 0 || (alibi && added === 0) ? "−" : "+";
  const size = exact(Number(Math.abs(added).toPrecision(6)));
  return ` ${sign} ${size} ${alibi ? "for distance" : "that the model adds"}`;
}

function explainMask(store: Store, r: number, c: number): Explanation {
  const index = r * store.nK + c;
  const hidden = Boolean(store.mask[index]);
  const how = store.locked?.[index]
    ? "masked by the model itself"
    : "masked: the score counts as −∞";
  return {
    value: Number(hidden),
    lines: [hidden ? how : "open: the score goes on to the softmax"],
    numpy: String(Number(hidden)),
    sources: [{ name: "scores", row: r, col: c }],
  };
}

export function explainWeight(store: Store, r: number, c: number): Explanation {
  const scores = need(store, "scores");
  const { nK, mask } = store;
  const value = at(store.attention, r, c);
  const sources: Source[] = [
    { name: "scores", row: r },
    { name: "mask", row: r },
  ];
  const hidden = mask.subarray(r * nK, (r + 1) * nK);
  const open = row(scores, r).filter((_, j) => !hidden[j]);
  const closed = Array.from(hidden).flatMap((m, j) => (m ? [visible(store.keyTokens[j])] : []));
  const lines: string[] = [];
  if (closed.length) {
    const shown = closed.length > 8 ? `${closed.length} of ${nK} keys` : closed.join(", ");
    lines.push(`the mask hides ${shown}`);
  }
  if (!open.length) {
    return { value, lines: ["every key is masked: no attention, 0"], numpy: "0.0", sources };
  }
  if (hidden[c]) {
    const how = store.locked?.[r * nK + c]
      ? "masked by the model itself: it stays masked, 0"
      : "masked: this query may not see this key, 0";
    return { value, lines: [...lines, how], numpy: "0.0", sources };
  }
  const given = !store.hasScores && store.get("temperature") === 1;
  const how = given ? givenLines : softmaxLines;
  return { value, ...how(store, r, c, open, lines), sources };
}

/** Weights that came as they are: a masked key's share goes to the rest of its row. */
function givenLines(store: Store, r: number, c: number, open: number[], lines: string[]) {
  const p = weight(at(store.attention, r, c));
  const own = Math.exp(at(need(store, "scores"), r, c));
  const source = store.get("layers")[0]?.module ? "made of the model's maps" : "given as it is";
  if (!lines.length) return { lines: [`${source} = ${p}`], numpy: exact(own) };
  const left = open.map((s) => Math.exp(s));
  const mass = store.rowMass(r);
  const total = left.reduce((a, b) => a + b, 0);
  return {
    lines: [
      ...lines,
      `left of the row: ${sum(left.map(two))} = ${number(total)}`,
      `${two(own)} ÷ ${number(total)} × ${number(mass)} = ${p}`,
    ],
    numpy: `${exact(own)} / np.sum(${exactList(left)}) * ${exact(mass)}`,
  };
}

function softmaxLines(store: Store, r: number, c: number, open: number[], lines: string[]) {
  const T = store.get("temperature");
  const score = at(need(store, "scores"), r, c);
  const max = extent(open)[1];
  const mass = store.rowMass(r);
  const p = weight(at(store.attention, r, c));
  const times = mass === 1 ? "" : ` × ${number(mass)}`;
  const scaled = `np.array(${exactList(open)})`;
  const by = mass === 1 ? "" : ` * ${exact(mass)}`;
  if (T === 0) {
    const ties = open.filter((s) => s === max).length;
    const shared = `the largest, shared by ${ties}: 1 ÷ ${ties}${times} = ${p}`;
    return {
      lines: [
        ...lines,
        `temperature 0: the largest score, ${number(max)}, takes it all`,
        score === max ? shared : `${number(score)} is not the largest = ${p}`,
      ],
      numpy: `float(${exact(score)} == ${scaled}.max()) / (${scaled} == ${scaled}.max()).sum()${by}`,
    };
  }
  const heat = T === 1 ? "" : ` ÷ ${exact(T)}`;
  const part = (s: number) => (T === 1 ? `exp(${two(s - max)})` : `exp(${two(s - max)}${heat})`);
  const total = open.reduce((a, s) => a + Math.exp((s - max) / T), 0);
  const over = T === 1 ? "" : ` / ${T}`;
  return {
    lines: [
      ...lines,
      `minus the row's maximum: ${two(score)} − ${operand(max)} = ${two(score - max)}`,
      `sum: ${sum(open.map(part))} = ${number(total)}`,
      `${part(score)} ÷ ${number(total)}${times} = ${p}`,
    ],
    numpy:
      `np.exp((${exact(score)} - ${exact(max)})${over}) / ` +
      `np.exp((${scaled} - ${exact(max)})${over}).sum()${by}`,
  };
}

function explainOutput(store: Store, r: number, c: number): Explanation {
  const V = need(store, "V");
  const value = at(need(store, "output"), r, c);
  const weights = row(store.attention, r);
  const values = column(V, c);
  const seen = weights.flatMap((p, j) => (store.mask[r * store.nK + j] ? [] : [[p, values[j]]]));
  const sources: Source[] = [
    { name: "attention", row: r },
    { name: "V", col: c },
  ];
  if (!seen.length) {
    return { value, lines: ["every key is masked: the output is 0"], numpy: "0.0", sources };
  }
  const terms = seen.map(([p, v]) => `${two(p)}·${operand(v)}`);
  return {
    value,
    lines: [`p·v = ${sum(terms)} = ${number(value)}`],
    numpy: `np.dot(${exactList(weights)}, ${exactList(values)})`,
    sources,
  };
}

function need(store: Store, name: ArrayName): Matrix {
  const found = store.matrix(name);
  if (!found) throw new Error(`there is no ${name} here`);
  return found;
}
