/** A comparison in words: the same for the eye, a screen reader and a program. */

import type { Place } from "../../draw/matrix/gestures";
import { two } from "../../explain/numbers";
import { visible } from "../../explain/tokens";
import type { Comparison } from "../../state/comparison";

/** "cat → sat" and "−0.30", empty where a side has no such cell. */
export function change({ get, maps }: Comparison, [row, column]: Place): [string, string] {
  const labels = [get("rows")[row], get("columns")[column]].map((pair) => visible(pair[2]));
  const by = maps.difference[row * get("columns").length + column];
  return [labels.join(" → "), Number.isNaN(by) ? "" : (by > 0 ? "+" : "") + two(by)];
}

/** "cat → sat: A 0.42, B 0.12, B − A −0.30". */
export function describe(store: Comparison, place: Place): string {
  const { a, b, masked } = store.maps;
  const at = place[0] * store.get("columns").length + place[1];
  const told = [a, b].map((values, side) => {
    const weight = values[at];
    const said = Number.isNaN(weight) ? "no such cell" : two(weight);
    return `${"AB"[side]} ${masked[side]?.[at] ? "masked" : said}`;
  });
  const [pair, by] = change(store, place);
  return `${pair}: ${told.join(", ")}${by && `, B − A ${by}`}`;
}
