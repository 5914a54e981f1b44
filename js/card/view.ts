/** The contract between the card and a view. */
import type { Theme } from "../draw/theme";
import type { Store } from "../state/store";
import type { Focus } from "../ui/focus";
import type { Scope } from "../ui/scope";

/** The names of `VIEWS` in Python; a test compares the two lists. */
export type ViewName =
  | "heatmap"
  | "steps"
  | "lines"
  | "neuron"
  | "grid"
  | "bertviz-head"
  | "bertviz-model"
  | "bertviz-neuron";

/** Parts of the card that a view uses: the mask's buttons, the experiments and in them the mistakes, the foot, the pickers of a layer and a head. */
export type Part = "edits" | "lab" | "mistakes" | "foot" | "layer" | "head";

/** Everything that a part of the card needs besides its element and the store. */
export interface Env extends Scope {
  focus: Focus;
  theme: Theme;
}

export interface Card extends Env {
  store: Store;
  /** The view that was open before this view. */
  previous(): ViewName;
}

export interface View {
  name: ViewName;
  label: string;
  /** The menu that the view is in, if the toolbar has no tab for the view alone. */
  group?: string;
  /** Arrays of the head without which the view cannot be drawn. */
  needs: readonly ("Q" | "K" | "V")[];
  /** The parts of the card that the view uses; the foot is hidden in the other views, and the rest is disabled. */
  parts: readonly Part[];
  /** The help in the foot: keys or gestures, each with its action. */
  keys?: readonly (readonly [key: string, does: string])[];
  /** Return why the view cannot be chosen now, or "" if the view can be chosen. */
  unavailable?(store: Store): string;
  /** Draw the view inside `host` until the card's signal ends. */
  mount(host: HTMLElement, card: Card): void;
}

export type Views = Readonly<Record<ViewName, View>>;

/** Return the view that the store names; undefined if a newer Python names a view that this page does not know. */
export function currentView(views: Views, store: Store): View | undefined {
  return views[store.get("view") as ViewName];
}
