/** What a view needs that the shown layer lacks. */
import type { Store } from "../state/store";

/** Why a view cannot be drawn now, in words; empty where it can. */
export function lacking(store: Store, view: string): string {
  if (view !== "steps" && view !== "neuron") return "";
  const unseen = (["Q", "K", "V"] as const).filter((name) => store.matrix(name) === null);
  if (unseen.length === 0) return "";
  const names = unseen.join(" and ");
  return `This view needs Q, K and V: ${names} of this layer ${unseen.length > 1 ? "were" : "was"} not seen`;
}
