/**
 * The numbers that views draw: the arrays, or, while a mistake is switched on, the scores, weights and
 * output of the mistaken code. Views read `matrix`, `attention` and `blank` of the store, which are these.
 */
import { outputOf } from "../maths/mistaken";
import { type Matrix, matrix as matrixOf } from "../wire/codec";
import type { Report } from "../wire/schema";
import type { createArrays } from "./arrays";
import type { createDerived } from "./derived";
import type { ArrayName, Mirror } from "./mirror";

export function createMistaken(
  arrays: ReturnType<typeof createArrays>,
  { get, headIndex }: Pick<Mirror, "get" | "headIndex">,
  { once }: Pick<ReturnType<typeof createDerived>, "once">,
) {
  /** The report of the mistake whose maps are drawn; null without a mistake, and where the mistaken code fails. */
  function mistake(): Report | null {
    const report = get("report");
    if (report?.kind !== "mistake" || !report.weights) return null;
    const [rows, cols] = report.weights.shape.slice(-2);
    // A map of another shape belongs to tokens that are no longer shown.
    return rows === arrays.nQ && cols === arrays.nK ? report : null;
  }

  function mistaken(report: Report, name: ArrayName, head: number): Matrix | null {
    if (name === "scores") return report.scores && matrixOf(report.scores, head);
    if (name === "attention") return report.weights && matrixOf(report.weights, head);
    const V = arrays.matrix("V", head);
    return V && outputOf(drawn("attention", head) as Matrix, V);
  }

  function drawn(name: ArrayName, head = headIndex()): Matrix | null {
    const report = mistake();
    const isMistaken = name === "scores" || name === "attention" || name === "output";
    if (!report || !isMistaken) return arrays.matrix(name, head);
    return once(`mistaken ${name} of head ${head}`, () => mistaken(report, name, head));
  }

  /** The cells without a number in the map of a head: masked cells, but not those that a mistake gives weight. */
  function blankOf(head = headIndex()): Uint8Array {
    if (!mistake()) return arrays.mask;
    return once(`blank cells of head ${head}`, () => {
      const { data } = drawn("attention", head) as Matrix;
      const { mask } = arrays;
      return mask.map((hidden, at) => Number(!Number.isFinite(data[at]) || (hidden && !data[at])));
    });
  }

  return {
    matrix: drawn,
    /** The matrix without the mistake that is switched on. */
    rightMatrix: arrays.matrix,
    get attention(): Matrix {
      return drawn("attention") as Matrix;
    },
    get mistake() {
      return mistake();
    },
    blankOf,
    /** (nQ, nK), 1 = a cell of the shown head that has no number. */
    get blank() {
      return blankOf();
    },
  };
}
