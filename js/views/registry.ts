/** Every view, in the order of the toolbar. A view is a folder, a line here and a line in Python's `VIEWS`. */
import type { View, ViewName } from "../card/view";
import { views as bertviz } from "./bertviz";
import { view as grid } from "./grid";
import { view as heatmap } from "./heatmap";
import { view as lines } from "./lines";
import { view as neuron } from "./neuron";
import { view as steps } from "./steps";

export const VIEWS = { heatmap, steps, lines, neuron, grid, ...bertviz } satisfies Record<
  ViewName,
  View
>;
