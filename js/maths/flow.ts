/** Everything downstream of a number that changed, computed in the page as Python computes it. */

import type { Editable } from "../wire/schema";
import { angle, sinusoidal } from "./positions";
import type { Maps } from "./rows";

/** The arrays of a widget, heads leading, written in place. */
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

/** What is made anew when one of these is set: itself apart, in the order of computing. */
const FROM: Record<Editable, readonly ("Q" | "K" | "V")[]> = {
  embeddings: ["Q", "K", "V"],
  key_embeddings: ["K", "V"],
  W_q: ["Q"],
  W_k: ["K"],
  W_v: ["V"],
  Q: [],
  K: [],
  V: [],
};

/** The inputs that setting `name` changes, itself included. */
export function changed(flow: Flow, name: Editable): Editable[] {
  const own = name === "embeddings" && flow.key_embeddings ? (["Q"] as const) : FROM[name];
  return [name, ...own];
}

/** Recompute Q, K and V as far as they follow from `name`, for every head. */
export function reproject(flow: Flow, name: Editable): void {
  const all = changed(flow, name);
  for (const made of ["Q", "K", "V"] as const) {
    if (made !== name && all.includes(made)) project(flow, made);
  }
}

/** Q Kᵀ · scale + bias, of every head. */
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

/** A score bounded to (-cap, cap), as Gemma 2 does. */
export function capped(score: number, cap: number | null): number {
  return cap ? cap * Math.tanh(score / cap) : score;
}

function project(flow: Flow, made: "Q" | "K" | "V"): void {
  const { dModel, heads, positional } = flow;
  const fromKeys = made !== "Q" && flow.key_embeddings;
  const X = fromKeys ? flow.key_embeddings : flow.embeddings;
  const W = flow[`W_${made.toLowerCase()}` as "W_q"];
  if (!X || !W) return;
  const n = made === "Q" ? flow.n : flow.nK;
  const d = made === "V" ? flow.d : flow.dK;
  const out = flow[made] as Float32Array;
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
      if (positional === "rotary" && made !== "V") turn(row, i);
      out.set(row, (h * n + i) * d);
    }
  }
}

function turn(row: Float64Array, position: number): void {
  for (let c = 0; c + 1 < row.length; c += 2) {
    const theta = angle(position, c, row.length);
    const [a, b] = [row[c], row[c + 1]];
    row[c] = a * Math.cos(theta) - b * Math.sin(theta);
    row[c + 1] = a * Math.sin(theta) + b * Math.cos(theta);
  }
}
