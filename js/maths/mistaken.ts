/** Attention and output as code with the chosen mistake computes them. */
import { type Matrix, matrix } from "../wire/codec";
import type { Report } from "../wire/schema";

export function mistakenFlow(report: Report | null, V: Matrix | null) {
  if (report?.kind !== "mistake" || !report.got || !V) return null;
  const attention = matrix(report.got, 0);
  if (attention.cols !== V.rows) return null;
  const output = {
    data: new Float32Array(attention.rows * V.cols),
    rows: attention.rows,
    cols: V.cols,
  };
  for (let r = 0; r < attention.rows; r++) {
    for (let c = 0; c < V.cols; c++) {
      let sum = 0;
      for (let k = 0; k < V.rows; k++) {
        sum += attention.data[r * attention.cols + k] * V.data[k * V.cols + c];
      }
      output.data[r * V.cols + c] = sum;
    }
  }
  return { name: report.name, attention, output };
}
