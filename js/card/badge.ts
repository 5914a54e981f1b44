/** The badge over a view that says which mistake the numbers of the view have. */
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { currentView, type Env, type Views } from "./view";

export function createBadge(store: Store, views: Views, { signal }: Env): HTMLElement {
  const element = h("p", { class: "aw-badge", role: "status", hidden: true });
  const words = () => {
    const report = store.get("report");
    if (report?.kind !== "mistake") return "";
    const mistake = `mistake: ${report.name}`;
    if (!store.mistake) return `${mistake} fails on these shapes; these numbers are right`;
    const hasMistake = currentView(views, store)?.parts.includes("mistakes");
    if (!hasMistake) return `${mistake} is not in this view; these numbers are right`;
    // The page has the maps of the shown head alone.
    const isOfHead = store.stackedHeads < store.nHeads;
    return isOfHead ? `${mistake}, in head ${store.shown.head} alone` : mistake;
  };
  const update = () => {
    text(element, words());
    element.hidden = element.textContent === "";
  };
  store.subscribe(update, signal);
  update();
  return element;
}
