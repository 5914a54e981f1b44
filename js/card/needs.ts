/** Which views the toolbar offers, and which of these the current layer can be drawn in. */
import type { Store } from "../state/store";
import type { View } from "./view";

/** Return why the view cannot be drawn now, or "" if the view can be drawn. */
export function lacking(store: Store, { needs }: View): string {
  const missing = needs.filter((name) => store.matrix(name) === null);
  if (missing.length === 0) return "";
  const verb = missing.length > 1 ? "were" : "was";
  return `This view needs ${joined(needs)}: ${joined(missing)} of this layer ${verb} not seen`;
}

/** Whether the toolbar has a button for the view. A widget with weights only has no Q, K and V, so their views are not offered. */
export function isOffered(store: Store, view: View): boolean {
  const { needs } = view;
  if (needs.length && needs.every((name) => store.matrix(name) === null)) return false;
  return !view.isOffered || view.isOffered(store) || store.get("view") === view.name;
}

function joined(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
