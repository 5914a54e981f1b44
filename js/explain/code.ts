/** Lines of NumPy that compute the explained numbers from the arrays of the widget `w`; the code runs where `np` is NumPy. */
import { angle, sinusoidal } from "../maths/positions";
import { shownQuantity } from "../state/quantity";
import type { Store } from "../state/store";
import type { Editable, Packed } from "../wire/schema";
import { exactList, isDefaultScale } from "./numbers";

export type MatrixName = Editable | "scores" | "mask" | "attention" | "output";

/** exp of a larger score is not finite in float32. */
const LARGE = 80;

type Place = number | string;
/** The maps that a mistake changes, by their names in `w.report`. */
const OF_REPORT: Partial<Record<MatrixName, "scores" | "weights">> = {
  scores: "scores",
  attention: "weights",
};

/** A part of an array of the shown head: `w.Q[1]`, with several heads `w.Q[0, 1]`. */
function part(store: Store, name: MatrixName | "bias", ...places: Place[]): string {
  const report = store.mistake;
  const inReport = report ? OF_REPORT[name as MatrixName] : undefined;
  const packed = (inReport ? report?.[inReport] : store.get(name)) as Packed | null;
  const head = (packed?.shape.length ?? 0) > 2 ? [store.shown.head] : [];
  return `w.${inReport ? `report.${inReport}` : name}[${[...head, ...places].join(", ")}]`;
}

export function codeOf(store: Store, name: MatrixName, r: number, c: number): string {
  switch (name) {
    case "scores":
      return scoreCode(store, r, c);
    case "attention":
      return weightCode(store, r, c);
    case "output":
      return `${part(store, "attention", r)} @ ${part(store, "V", ":", c)}`;
    case "Q":
    case "K":
    case "V":
      return projectionCode(store, name, r, c);
    default:
      return part(store, name, r, c);
  }
}

/** The line for the number that a cell of the map shows. */
export function codeOfCell(store: Store, r: number, c: number): string {
  const { value } = shownQuantity(store);
  if (value === "scores") return codeOf(store, "scores", r, c);
  if (value === "attention") return codeOf(store, "attention", r, c);
  const stacked = (store.get("attention")?.shape.length ?? 0) > 2;
  if (value === "output-shift") {
    return `w.output_shift[${stacked ? `${store.shown.head}, ` : ""}${r}, ${c}]`;
  }
  const length =
    value === "output-norm" ? `w.output_norms[${c}]` : `np.linalg.norm(${part(store, "V", c)})`;
  return `${part(store, "attention", r, c)} * ${length}`;
}

function scoreCode(store: Store, r: number, c: number): string {
  const [Q, K] = [store.matrix("Q"), store.matrix("K")];
  if (store.mistake?.step === "scores" || !Q || !K) return part(store, "scores", r, c);
  const factor =
    isDefaultScale(store.scale, Q.cols) && store.get("d_k") ? "/ np.sqrt(w.d_k)" : "* w.scale";
  const dot = `${part(store, "Q", r)} @ ${part(store, "K", c)} ${factor}`;
  const bounded = store.get("softcap") ? `w.softcap * np.tanh(${dot} / w.softcap)` : dot;
  return store.matrix("bias") ? `${bounded} + ${part(store, "bias", r, c)}` : bounded;
}

function weightCode(store: Store, r: number, c: number): string {
  const { nK, mask, hasScores } = store;
  const masked = mask.subarray(r * nK, (r + 1) * nK);
  const step = store.mistake?.step;
  const T = store.get("temperature");
  const isGiven = !hasScores && T === 1 && !masked.includes(1);
  if (step === "mask" || step === "attention" || isGiven) return part(store, "attention", r, c);
  if (masked[c]) return "0.0";
  const row = part(store, "scores", r);
  const open = masked.includes(1) ? `${row}[~${part(store, "mask", r)}]` : row;
  const score = part(store, "scores", r, c);
  const mass = hasScores ? "" : ` * w.row_mass[${r}]`;
  if (T === 0) return `(${score} == ${open}.max()) / (${open} == ${open}.max()).sum()${mass}`;
  const data = store.matrix("scores")?.data.subarray(r * nK, (r + 1) * nK) ?? [];
  const isLarge = data.some((s, k) => !masked[k] && Math.abs(s) / T > LARGE);
  const minus = isLarge ? ` - ${open}.max()` : "";
  const term = (of: string) => {
    const shifted = minus && T !== 1 ? `(${of}${minus})` : `${of}${minus}`;
    return `np.exp(${shifted}${T === 1 ? "" : " / w.temperature"})`;
  };
  return `${term(score)} / ${term(open)}.sum()${mass}`;
}

function projectionCode(store: Store, name: "Q" | "K" | "V", r: number, c: number): string {
  const weights = `W_${name.toLowerCase()}` as "W_q";
  const W = store.matrix(weights);
  const input = name !== "Q" && store.matrix("key_embeddings") ? "key_embeddings" : "embeddings";
  const X = store.matrix(input);
  const isSet = store.isByHand(name, r, c) || store.get("given").includes(name);
  if (!X || !W || isSet) return part(store, name, r, c);
  const positional = store.get("positional");
  const position = Array.from({ length: X.cols }, (_, m) => sinusoidal(r, m, X.cols));
  const x = part(store, input, r);
  const positioned = positional === "sinusoidal" ? `(${x} + ${exactList(position)})` : x;
  const dot = (col: number) => `${positioned} @ ${part(store, weights, ":", col)}`;
  if (positional !== "rotary" || name === "V") return dot(c);
  const first = c - (c % 2);
  const theta = angle(r, c, store.matrix(name)?.cols ?? 0);
  const [a, b, sign] = c % 2 ? ["sin", "cos", "+"] : ["cos", "sin", "-"];
  return `${dot(first)} * np.${a}(${theta}) ${sign} ${dot(first + 1)} * np.${b}(${theta})`;
}
