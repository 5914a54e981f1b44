/** The output that mistaken weights give. */
import type { Matrix } from "../wire/codec";
import { outputRow } from "./softmax";

/** attention · V, (n_q, d_v). */
export function outputOf(attention: Matrix, V: Matrix): Matrix {
  const { rows, cols, data } = attention;
  const output = { data: new Float32Array(rows * V.cols), rows, cols: V.cols };
  for (let r = 0; r < rows; r++) {
    outputRow(data, r * cols, cols, V.data, V.cols, output.data, r * V.cols);
  }
  return output;
}
