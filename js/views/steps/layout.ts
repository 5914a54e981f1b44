/** The places of the matrices of the flow, in CSS pixels. */
import type { Labels } from "../../draw/matrix/block";
import { type Arrangement, type Chart, LEGIBLE, type Sizes } from "./flow";
import { narrowChart } from "./narrow";
import { wideChart } from "./wide";

const WIDE = 780;
/** Matrices with at most this many rows and columns should show their numbers. */
const FEW = 14;

export function layout(width: number, sizes: Sizes, labels: Labels): Chart {
  const arrangement = arrange(width, sizes, labels);
  return {
    ...arrangement,
    width: Math.max(...arrangement.blocks.map((block) => block.x + block.width)),
  };
}

function arrange(width: number, sizes: Sizes, labels: Labels): Arrangement {
  const wide = wideChart(width, sizes, labels);
  const isSmall = Math.max(sizes.nQ, sizes.nK, sizes.dModel, sizes.dK, sizes.dV) <= FEW;
  const isLegible = !isSmall || wide.blocks.every((block) => block.cw >= LEGIBLE - 1);
  if (width >= WIDE && isLegible) return wide;
  const narrow = narrowChart(width, sizes, labels);
  // The narrow chart is much higher: a wide card uses the narrow chart only where more numbers become legible.
  const isBetter = narrow.blocks.some((block) => block.cw >= LEGIBLE);
  return width >= WIDE && !isBetter ? wide : narrow;
}
