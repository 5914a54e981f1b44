/** Where every matrix of the flow lies, in CSS pixels: pure, so that it can be tested. */
import type { Labels } from "../../draw/matrix/block";
import { type Chart, LEGIBLE, type Sizes } from "./flow";
import { narrowChart } from "./narrow";
import { wideChart } from "./wide";

const WIDE = 780;
/** Matrices of so few columns are read as numbers, larger ones as pictures. */
const FEW = 14;

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
