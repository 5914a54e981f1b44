/** Recompute Q, K, V and the scores after a number was set, with the same formulas as Python. */

import type { Editable } from "../wire/schema";
import { angle, sinusoidal } from "./positions";
import type { Maps } from "./rows";

/** The arrays of a widget, written in place. Where there are several heads, the first axis is the head. */
export interface Flow extends Maps {
  dModel: number;
  dK: number;
  scale: number;
  softcap: number | null;
  positional: string;
  embeddings: Float32Array | null;
  key_embeddings: Float32Array | null;
  W_q: Float32Array | null;
  W_k: Float32Array | null;
  W_v: Float32Array | null;
  Q: Float32Array;
  K: Float32Array;
  bias: Float32Array | null;
}

/** The projections to recompute after an array was set. */
const PROJECTIONS_OF: Record<Editable, readonly ("Q" | "K" | "V")[]> = {
  embeddings: ["Q", "K", "V"],
  key_embeddings: ["K", "V"],
  W_q: ["Q"],
  W_k: ["K"],
  W_v: ["V"],
  Q: [],
  K: [],
  V: [],
};

/** Return the arrays that change when `name` is set: `name` itself and its projections. */
export function changed(flow: Flow, name: Editable): Editable[] {
  return [name, ...projectionsOf(flow, name)];
}

/** Recompute the projections that are computed from `name`, for every head. */
export function reproject(flow: Flow, name: Editable): void {
  for (const projection of projectionsOf(flow, name)) project(flow, projection);
}

function projectionsOf(flow: Flow, name: Editable): readonly ("Q" | "K" | "V")[] {
  return name === "embeddings" && flow.key_embeddings ? ["Q"] : PROJECTIONS_OF[name];
}

/** Recompute the scores of every head: Q Kᵀ · scale, bounded by the soft cap, plus the bias. */
export function rescore(flow: Flow): void {
  const { n, nK, dK, heads, Q, K, bias, scores, scale, softcap } = flow;
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < n; i++) {
      const q = (h * n + i) * dK;
      for (let j = 0; j < nK; j++) {
        const k = (h * nK + j) * dK;
        let dot = 0;
        for (let c = 0; c < dK; c++) dot += Q[q + c] * K[k + c];
        const at = (h * n + i) * nK + j;
        const score = capped(dot * scale, softcap);
        scores[at] = score + (bias ? bias[at] : 0);
      }
    }
  }
}

/** Bound a score to (-cap, cap), as Gemma 2 does; a cap of null leaves the score unchanged. */
export function capped(score: number, cap: number | null): number {
  return cap ? cap * Math.tanh(score / cap) : score;
}

function project(flow: Flow, name: "Q" | "K" | "V"): void {
  const { dModel, heads, positional } = flow;
  const X = (name !== "Q" && flow.key_embeddings) || flow.embeddings;
  const W = flow[`W_${name.toLowerCase()}` as "W_q"];
  if (!X || !W) return;
  const n = name === "Q" ? flow.n : flow.nK;
  const d = name === "V" ? flow.d : flow.dK;
  const out = flow[name] as Float32Array;
  const x = new Float64Array(dModel);
  const row = new Float64Array(d);
  for (let i = 0; i < n; i++) {
    for (let m = 0; m < dModel; m++) {
      x[m] = X[i * dModel + m];
      if (positional === "sinusoidal") x[m] += sinusoidal(i, m, dModel);
    }
    for (let h = 0; h < heads; h++) {
      row.fill(0);
      for (let m = 0; m < dModel; m++) {
        const w = (h * dModel + m) * d;
        for (let c = 0; c < d; c++) row[c] += x[m] * W[w + c];
      }
      if (positional === "rotary" && name !== "V") rotate(row, i);
      out.set(row, (h * n + i) * d);
    }
  }
}

/** Rotate each pair of columns by its angle at the position (rotary position encoding). */
function rotate(row: Float64Array, position: number): void {
  for (let c = 0; c + 1 < row.length; c += 2) {
    const theta = angle(position, c, row.length);
    const [a, b] = [row[c], row[c + 1]];
    row[c] = a * Math.cos(theta) - b * Math.sin(theta);
    row[c + 1] = a * Math.sin(theta) + b * Math.cos(theta);
  }
}
