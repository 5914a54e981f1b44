/** The words for a cell of a comparison, on the card and for screen readers. */

import type { Place } from "../../draw/matrix/gestures";
import { two } from "../../explain/numbers";
import { inText } from "../../explain/tokens";
import type { Comparison } from "../../state/comparison";

/** "cat → sat" and "−0.30"; the second text is empty where a side has no such cell. */
export function change({ get, maps }: Comparison, [row, column]: Place): [string, string] {
  const labels = [get("rows")[row], get("columns")[column]].map((pair) => inText(pair[2]));
  const difference = maps.difference[row * get("columns").length + column];
  const sign = difference > 0 ? "+" : "";
  return [labels.join(" → "), Number.isNaN(difference) ? "" : sign + two(difference)];
}

/** "cat → sat: A 0.42, B 0.12, B − A −0.30". */
export function describe(store: Comparison, place: Place): string {
  const { a, b, masked } = store.maps;
  const at = place[0] * store.get("columns").length + place[1];
  const sides = [a, b].map((values, side) => {
    const weight = values[at];
    const value = Number.isNaN(weight) ? "no such cell" : two(weight);
    return `${"AB"[side]} ${masked[side]?.[at] ? "masked" : value}`;
  });
  const [pair, difference] = change(store, place);
  return `${pair}: ${sides.join(", ")}${difference && `, B − A ${difference}`}`;
}
