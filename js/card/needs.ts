/** Which views can be drawn of the layer that is shown, and which are offered. */
import type { Store } from "../state/store";
import type { View } from "./view";

/** Say why a view cannot be drawn now; empty where it can. */
export function lacking(store: Store, { needs }: View): string {
  const unseen = needs.filter((name) => store.matrix(name) === null);
  if (unseen.length === 0) return "";
  const were = unseen.length > 1 ? "were" : "was";
  return `This view needs ${listed(needs)}: ${listed(unseen)} of this layer ${were} not seen`;
}

/** Whether the toolbar has a button for the view. Given weights have none of Q, K and V: no view of those is offered. */
export function isOffered(store: Store, view: View): boolean {
  const { needs } = view;
  if (needs.length && needs.every((name) => store.matrix(name) === null)) return false;
  return !view.isOffered || view.isOffered(store) || store.get("view") === view.name;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
