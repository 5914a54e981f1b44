/** The heatmap: a row for each query, a column for each key; a click masks or frees a cell. */
import { createHeads } from "../../card/heads";
import { createInspector } from "../../card/inspector";
import type { Env, View } from "../../card/view";
import { shownQuantity } from "../../state/quantity";
import type { Store } from "../../state/store";
import { h } from "../../ui/dom";
import { createChoices } from "./choices";
import { listenToKeys } from "./keyboard";
import { createMarker } from "./marker";
import { noMarks } from "./marks";
import { createPicture } from "./picture";
import { listenToPointer } from "./pointer";
import { createSurface } from "./surface";

export const view: View = {
  name: "heatmap",
  label: "Heatmap",
  needs: [],
  parts: ["edits", "lab", "mistakes", "foot", "layer", "head"],
  keys: [
    ["←↑↓→", "move"],
    ["space", "mask"],
    ["shift", "extend"],
    ["drag", "paint"],
  ],
  mount(host, card) {
    const map = h("div", { class: "aw-map-column" });
    const inspector = h("aside", { class: "aw-inspector", "aria-label": "the marked cell" });
    host.append(map, inspector);
    createHeatmap(map, card.store, card);
    createHeads(map, card.store, card);
    createInspector(inspector, card.store, card);
  },
};

function createHeatmap(parent: HTMLElement, store: Store, env: Env): void {
  store.before.watch(env.signal);
  const surface = createSurface();
  const choices = createChoices(store, env);
  const readout = h("div", { class: "aw-readout", role: "status", "aria-live": "polite" });
  parent.append(surface.map, choices.scales, choices.explanation, readout);
  const marks = noMarks();
  const picture = createPicture(parent, surface, store, marks, env);
  const marker = createMarker(store, surface, marks, readout, env.focus, picture.mark);
  listenToPointer(surface.over, store, () => picture.geometry, marker.pointer, env);
  listenToKeys(surface.map, store, () => marker.place, marker.keyboard, env);

  function describe() {
    surface.map.setAttribute(
      "aria-label",
      `${shownQuantity(store).name}: queries down, keys across`,
    );
    choices.update();
  }
  store.subscribe((change) => {
    describe();
    marker.update(change);
    picture.update(change);
  }, env.signal);
  env.focus.subscribe(picture.mark, env.signal);
  describe();
  marker.open();
  picture.open();
}
