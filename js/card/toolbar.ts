/** The head of the card. Each control keeps its place in every view and state: a control without a use is disabled. */

import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { createFigureMenu } from "./figure-menu";
import { createKnockOut } from "./knock-out";
import { createPickers } from "./pickers";
import { createPresets } from "./presets";
import { createRegroup } from "./regroup";
import { createStatus } from "./status";
import { createUndoButtons } from "./undo";
import { currentView, type Env, type Views } from "./view";
import { createViewTabs } from "./view-tabs";

export function createToolbar(parent: HTMLElement, store: Store, every: Views, env: Env): void {
  const title = h("h2", { class: "aw-title", dir: "auto" });
  const subtitle = h("span", { class: "aw-subtitle" });
  const titles = h("div", { class: "aw-titles" }, title, subtitle);
  const isModel = () => store.get("layers").some((layer) => layer.module !== "");

  const views = createViewTabs(store, every, env);
  const pickers = createPickers(store, every, env);
  const presets = createPresets(store, env);
  // Of a model, the masks with names are in the panel of the choice between a knock-out and a what-if.
  const canRun = store.get("run_state") !== null;
  const knockOut = canRun ? createKnockOut(store, presets.element, env) : null;
  const regroup = createRegroup(store, env);
  const undo = createUndoButtons(store, env);
  const figures = createFigureMenu(store, env);
  undo.element.append(...figures.elements);
  const edits = knockOut?.element ?? presets.element;
  createStatus(titles, store, env);
  parent.append(
    h("div", { class: "aw-tools" }, titles, views.element, pickers.element),
    h("div", { class: "aw-tools" }, edits, regroup.element, undo.element),
  );

  function update() {
    const model = isModel();
    text(title, store.get("title") || (model ? "Attention" : "Self-attention"));
    text(subtitle, store.get("subtitle"));
    titles.title = [title.textContent, subtitle.textContent].filter(Boolean).join(" · ");
    const view = currentView(every, store);
    const isEditable = !view || view.parts.includes("edits");
    const reason = isEditable ? "" : `${view.label} draws the weights without this mask`;
    views.update();
    pickers.update();
    presets.update(reason);
    knockOut?.update(reason);
    regroup.update(model);
    undo.update(reason);
    figures.update();
  }
  store.subscribe(update, env.signal);
  update();
}
