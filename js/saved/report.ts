/** The report on a mistake that is switched on, as Python's `Report.of_mistake` makes it. */
import type { Flow } from "../maths/flow";
import { failure, mistakenMaps } from "../maths/mistakes";
import { softmaxRow } from "../maths/softmax";
import type { Packed, Report } from "../wire/schema";
import { type MistakeWords, packed } from "./file";

/** The largest x whose exp is finite in float64. */
const OVERFLOW = 709.78;

/** `head` is the place of the shown head in the arrays. */
export function reportOf(words: MistakeWords, flow: Flow, head: number, revision: number): Report {
  const { n, nK, dK, heads, temperature, mask, scores } = flow;
  const sentences = [words.what];
  const why = failure(words.name, flow);
  const part = <T extends { subarray(from: number, to: number): T }>(
    all: T,
    h: number,
    size: number,
  ) => all.subarray(h * size, (h + 1) * size);
  const maps = why
    ? []
    : Array.from({ length: heads }, (_, h) =>
        mistakenMaps(words.name, {
          ...flow,
          Q: part(flow.Q, h, n * dK),
          K: part(flow.K, h, nK * dK),
          bias: flow.bias && part(flow.bias, h, n * nK),
        }),
      );
  if (why) sentences.push(`On these shapes the code fails: ${why}.`);
  if (words.name === "in-place") {
    sentences.push("The map shows a second call, after the first call scaled Q.");
  }
  if (words.name === "overflow") {
    const top = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    sentences.push(
      `The largest score here is ${Number(top.toPrecision(4))}; exp overflows above 709 in ` +
        "float64, 88 in float32, 11 in float16.",
    );
    if (top < OVERFLOW) {
      sentences.push("The weights are still right here; a larger scale makes them NaN.");
    }
  }
  sentences.push(words.rest);
  const expected = new Float32Array(n * nK);
  for (let row = 0; row < n; row++) {
    const start = (head * n + row) * nK;
    softmaxRow(scores, mask, start, row * nK, nK, expected, temperature, 1, row * nK);
  }
  const shape = heads > 1 ? [heads, n, nK] : [n, nK];
  const all = (name: "scores" | "weights"): Packed | null =>
    maps.length ? packed(Float32Array.from(maps.flatMap((map) => [...map[name]])), shape) : null;
  return {
    ...{ kind: "mistake", name: words.name, message: sentences.join(" "), case: "given" },
    ...{ revision, step: words.step, wrong: words.wrong, right: words.right },
    mask: packed(mask.slice(), [n, nK]),
    expected: packed(expected, [n, nK]),
    got: maps.length ? packed(Float32Array.from(maps[head].weights), [n, nK]) : null,
    scores: all("scores"),
    weights: all("weights"),
  };
}
