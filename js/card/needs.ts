/** Which views can be chosen, and which of these the current layer can be drawn in. */
import type { Store } from "../state/store";
import type { View } from "./view";

/** Return why the view cannot be drawn now, or "" if the view can be drawn. */
export function lacking(store: Store, { needs }: View): string {
  const missing = needs.filter((name) => store.matrix(name) === null);
  if (missing.length === 0) return "";
  const verb = missing.length > 1 ? "were" : "was";
  return `This view needs ${joined(needs)}: ${joined(missing)} of this layer ${verb} not captured`;
}

/** Return why the view cannot be chosen, or "" if the view can be chosen. */
export function unavailable(store: Store, view: View): string {
  return view.unavailable?.(store) || lacking(store, view);
}

function joined(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
