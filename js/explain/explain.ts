/** Explain a number: its computation in words, and the rows and columns it uses; `code.ts` has the line of NumPy. */

import { extent } from "../maths/extent";
import { angle, sinusoidal } from "../maths/positions";
import type { ArrayName } from "../state/mirror";
import type { Store } from "../state/store";
import type { Matrix } from "../wire/codec";
import type { Editable } from "../wire/schema";
import { codeOf, type MatrixName } from "./code";
import { exact, isDefaultScale, number, operand, sum, two, weight } from "./numbers";
import { inText } from "./tokens";

const GIVEN = "given in Python";

export type { MatrixName } from "./code";

/** A row, a column or a cell of another matrix that a number is computed from. */
export interface Source {
  name: MatrixName;
  row?: number;
  col?: number;
}

export interface Arithmetic {
  value: number;
  /** The lines of the computation in words; a line ends with its result. */
  lines: string[];
  sources: Source[];
}

export interface Explanation extends Arithmetic {
  /** An expression that gives the number where `np` is NumPy and `w` the widget. */
  numpy: string;
}

const row = (m: Matrix, r: number) => Array.from(m.data.subarray(r * m.cols, (r + 1) * m.cols));
const column = (m: Matrix, c: number) =>
  Array.from({ length: m.rows }, (_, r) => m.data[r * m.cols + c]);
const at = (m: Matrix, r: number, c: number) => m.data[r * m.cols + c];
const products = (a: readonly number[], b: readonly number[]) =>
  a.map((x, i) => `${two(x)}·${operand(b[i])}`);

/** An explanation of a number that is not computed from other matrices. */
const constant = (value: number, lines: string[]): Arithmetic => ({ value, lines, sources: [] });

export function explain(store: Store, name: MatrixName, r: number, c: number): Explanation {
  return { ...arithmetic(store, name, r, c), numpy: codeOf(store, name, r, c) };
}

function arithmetic(store: Store, name: MatrixName, r: number, c: number): Arithmetic {
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

/** A number of the matrix in which the mistake happens; the matrices after it follow by the right arithmetic. */
function explainMistake(
  store: Store,
  name: "scores" | "attention",
  r: number,
  c: number,
): Arithmetic {
  const matrix = need(store, name);
  const value = at(matrix, r, c);
  const right = at(store.rightMatrix(name) as Matrix, r, c);
  const total = row(matrix, r).reduce((a, b) => a + b, 0);
  return {
    value,
    lines: [
      `with the mistake ${store.mistake?.name} = ${number(value)}`,
      `the right value = ${number(right)}`,
      ...(name === "attention" ? [`the sum of this attention row = ${number(total)}`] : []),
    ],
    sources:
      name === "attention"
        ? [
            { name: "scores", row: r },
            { name: "mask", row: r },
          ]
        : [
            { name: "Q", row: r },
            { name: "K", row: c },
          ],
  };
}

function explainInput(store: Store, name: Editable, r: number, c: number): Arithmetic {
  const value = at(need(store, name), r, c);
  const lines = [`${number(value)}, ${origin(store, name, r, c)}`];
  if (name.endsWith("embeddings") && store.get("positional") === "sinusoidal") {
    const d = need(store, name).cols;
    const formula = `${c % 2 ? "cos" : "sin"}(${r} ÷ 10000^(${c - (c % 2)}/${d}))`;
    lines.push(`the position adds ${formula} = ${two(sinusoidal(r, c, d))}`);
  }
  return constant(value, lines);
}

function origin(store: Store, name: Editable, r: number, c: number): string {
  if (store.isByHand(name, r, c)) return "set by hand";
  if (store.get("given").includes(name)) return GIVEN;
  const seed = store.get("seed");
  return name.endsWith("embeddings")
    ? `drawn from [0, 1) with seed ${seed}`
    : `${store.get("init")} weights, seed ${seed}`;
}

function explainProjection(store: Store, name: "Q" | "K" | "V", r: number, c: number): Arithmetic {
  const projection = need(store, name);
  const value = at(projection, r, c);
  const weights = `W_${name.toLowerCase()}` as "W_q";
  const W = store.matrix(weights);
  const input = name !== "Q" && store.matrix("key_embeddings") ? "key_embeddings" : "embeddings";
  const X = store.matrix(input);
  const isByHand = store.isByHand(name, r, c);
  if (!X || !W || isByHand || store.get("given").includes(name)) {
    const source = isByHand ? "set by hand" : X ? GIVEN : "captured from the model";
    return constant(value, [`${number(value)}, ${source}`]);
  }
  const isSinusoidal = store.get("positional") === "sinusoidal";
  const x = row(X, r).map((v, m) => v + (isSinusoidal ? sinusoidal(r, m, X.cols) : 0));
  const sources = [
    { name: input, row: r },
    { name: weights, col: c },
  ] as Source[];
  const label = isSinusoidal ? "(x + position)·w" : "x·w";
  if (store.get("positional") !== "rotary" || name === "V") {
    const lines = [`${label} = ${sum(products(x, column(W, c)))} = ${number(value)}`];
    return { value, lines, sources };
  }
  const first = c - (c % 2);
  const pair = [first, first + 1].map((col) => x.reduce((s, v, m) => s + v * at(W, m, col), 0));
  const theta = angle(r, c, projection.cols);
  const [a, b] = pair;
  const angles = `θ = ${r} ÷ 10000^(${first}/${projection.cols}) = ${two(theta)}`;
  const rotation =
    c % 2 ? `${two(a)}·sin(θ) + ${two(b)}·cos(θ)` : `${two(a)}·cos(θ) − ${two(b)}·sin(θ)`;
  return {
    value,
    lines: [
      `x·w = ${sum(products(x, column(W, first)))} = ${two(a)}`,
      `x·w′ = ${sum(products(x, column(W, first + 1)))} = ${two(b)}`,
      `rotated by ${angles}: ${rotation} = ${number(value)}`,
    ],
    sources: [...sources, { name: weights, col: c % 2 ? c - 1 : c + 1 }],
  };
}

export function explainScore(store: Store, r: number, c: number): Arithmetic {
  if (store.mistake?.step === "scores") return explainMistake(store, "scores", r, c);
  const value = at(need(store, "scores"), r, c);
  const [Q, K] = [store.matrix("Q"), store.matrix("K")];
  if (!Q || !K) return constant(value, []);
  const { scale } = store;
  const bias = store.matrix("bias");
  const added = bias ? at(bias, r, c) : 0;
  const dot = row(Q, r).reduce((s, x, i) => s + x * at(K, c, i), 0);
  const scaling = isDefaultScale(scale, Q.cols) ? `÷ √${Q.cols}` : `× ${number(scale)}`;
  const cap = store.get("softcap");
  return {
    value,
    lines: [
      `q·k = ${sum(products(row(Q, r), row(K, c)))} = ${number(dot)}`,
      ...(cap
        ? [
            `${number(dot)} ${scaling} = ${number(dot * scale)}`,
            `${cap} · tanh(${number(dot * scale)} ÷ ${cap})${biasTerm(store, added)} = ${number(value)}`,
          ]
        : [`${number(dot)} ${scaling}${biasTerm(store, added)} = ${number(value)}`]),
    ],
    sources: [
      { name: "Q", row: r },
      { name: "K", row: c },
    ],
  };
}

/** The number that is added to a score, with the reason; empty if there is no bias. */
function biasTerm(store: Store, added: number): string {
  if (!store.matrix("bias") || (!added && store.get("positional") !== "alibi")) return "";
  const alibi = store.get("positional") === "alibi";
  const sign = added < 0 || (alibi && added === 0) ? "−" : "+";
  const size = exact(Number(Math.abs(added).toPrecision(6)));
  return ` ${sign} ${size} ${alibi ? "for distance" : "added by the model"}`;
}

function explainMask(store: Store, r: number, c: number): Arithmetic {
  const index = r * store.nK + c;
  const masked = Boolean(store.mask[index]);
  const reason = store.isRemoved(r, c)
    ? "knocked out of the model"
    : store.locked?.[index]
      ? "masked by the model itself"
      : "masked: the score counts as −∞";
  return {
    value: Number(masked),
    lines: [masked ? reason : "not masked: the softmax uses the score"],
    sources: [{ name: "scores", row: r, col: c }],
  };
}

export function explainWeight(store: Store, r: number, c: number): Arithmetic {
  const step = store.mistake?.step;
  if (step === "mask" || step === "attention") return explainMistake(store, "attention", r, c);
  const scores = need(store, "scores");
  const { nK, mask } = store;
  const value = at(store.attention, r, c);
  const sources: Source[] = [
    { name: "scores", row: r },
    { name: "mask", row: r },
  ];
  const maskRow = mask.subarray(r * nK, (r + 1) * nK);
  const openScores = row(scores, r).filter((_, j) => !maskRow[j]);
  const maskedTokens = Array.from(maskRow).flatMap((m, j) =>
    m ? [inText(store.keyTokens[j])] : [],
  );
  const lines: string[] = [];
  const count = maskedTokens.length;
  if (count) {
    lines.push(`the mask hides ${count > 8 ? `${count} of ${nK} keys` : maskedTokens.join(", ")}`);
  }
  if (!openScores.length) {
    return { value, lines: ["every key is masked: no attention, 0"], sources };
  }
  if (maskRow[c]) {
    const reason = store.isRemoved(r, c)
      ? "knocked out of the model: 0"
      : store.locked?.[r * nK + c]
        ? "masked by the model itself: the cell stays masked, 0"
        : "masked: this query may not see this key, 0";
    return { value, lines: [...lines, reason], sources };
  }
  const isGiven = !store.hasScores && store.get("temperature") === 1;
  const explainRow = isGiven ? explainGivenWeight : explainSoftmax;
  return { value, lines: explainRow(store, r, c, openScores, lines), sources };
}

/** A weight that was not computed by a softmax here: the weights of masked keys are shared among the other keys. */
function explainGivenWeight(store: Store, r: number, c: number, scores: number[], lines: string[]) {
  const p = weight(at(store.attention, r, c));
  const keyWeight = Math.exp(at(need(store, "scores"), r, c));
  const source = store.get("layers")[0]?.module ? "computed from the model's maps" : GIVEN;
  if (!lines.length) return [`${source} = ${p}`];
  const openWeights = scores.map((s) => Math.exp(s));
  const mass = store.rowMass(r);
  const total = openWeights.reduce((a, b) => a + b, 0);
  return [
    ...lines,
    `sum over the unmasked keys: ${sum(openWeights.map(two))} = ${number(total)}`,
    `${two(keyWeight)} ÷ ${number(total)} × ${number(mass)} = ${p}`,
  ];
}

function explainSoftmax(store: Store, r: number, c: number, scores: number[], lines: string[]) {
  const T = store.get("temperature");
  const score = at(need(store, "scores"), r, c);
  const max = extent(scores)[1];
  const mass = store.rowMass(r);
  const p = weight(at(store.attention, r, c));
  const times = mass === 1 ? "" : ` × ${number(mass)}`;
  if (T === 0) {
    const ties = scores.filter((s) => s === max).length;
    const share = `keys with the largest score: ${ties}; weight of each: 1 ÷ ${ties}${times} = ${p}`;
    return [
      ...lines,
      `temperature 0: the largest score, ${number(max)}, gets all the weight`,
      score === max ? share : `${number(score)} is not the largest score: weight = ${p}`,
    ];
  }
  const divided = T === 1 ? "" : ` ÷ ${exact(T)}`;
  const term = (s: number) => `exp(${two(s - max)}${divided})`;
  const total = scores.reduce((a, s) => a + Math.exp((s - max) / T), 0);
  return [
    ...lines,
    `minus the row's maximum: ${two(score)} − ${operand(max)} = ${two(score - max)}`,
    `sum: ${sum(scores.map(term))} = ${number(total)}`,
    `${term(score)} ÷ ${number(total)}${times} = ${p}`,
  ];
}

function explainOutput(store: Store, r: number, c: number): Arithmetic {
  const V = need(store, "V");
  const value = at(need(store, "output"), r, c);
  const weights = row(store.attention, r);
  const values = column(V, c);
  const openPairs = weights.flatMap((p, j) =>
    // A mistake may give weight to a masked key.
    store.mask[r * store.nK + j] && !p ? [] : [[p, values[j]]],
  );
  const sources: Source[] = [
    { name: "attention", row: r },
    { name: "V", col: c },
  ];
  if (!openPairs.length) {
    return { value, lines: ["every key is masked: the output is 0"], sources };
  }
  const terms = openPairs.map(([p, v]) => `${two(p)}·${operand(v)}`);
  return {
    value,
    lines: [`p·v = ${sum(terms)} = ${number(value)}`],
    sources,
  };
}

function need(store: Store, name: ArrayName): Matrix {
  const matrix = store.matrix(name);
  if (!matrix) throw new Error(`this head has no ${name}`);
  return matrix;
}
