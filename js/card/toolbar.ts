/** The head of the card: the title, and the choice of view, mask, layer and head. */

import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { type IconName, icon } from "../ui/icons";
import { segmented } from "../ui/segmented";
import { isOffered, lacking } from "./needs";
import { createPresets } from "./presets";
import { createRegroup } from "./regroup";
import { currentView, type Env, type ViewName, type Views } from "./view";

export function createToolbar(parent: HTMLElement, store: Store, every: Views, env: Env): void {
  const { signal, listen } = env;
  const title = h("h2", { class: "aw-title" });
  const subtitle = h("span", { class: "aw-subtitle" });
  const isModel = () => store.get("layers").some((layer) => layer.module !== "");

  const choices = Object.values(every).map(({ name, label }) => ({ value: name, text: label }));
  const views = segmented("view", choices, (value) => store.set("view", value), env);
  const presets = createPresets(store, env);
  const undo = button("undo", "undo (Ctrl+Z)", store.undo);
  const redo = button("redo", "redo (Ctrl+Shift+Z)", store.redo);
  const clear = button("clear", "clear the mask", store.clear);
  const kind = picker("stack", (value) => store.set("kind", value), String);
  const layer = picker("layer", (value) => store.set("layer", Number(value)));
  const head = picker("head", (value) => store.set("head", Number(value)));
  const history = h("span", { class: "aw-history" }, undo, redo, clear);
  const edits = h("div", { class: "aw-edits" }, presets.element, history);
  const pickers = h("div", { class: "aw-pickers" }, kind.element, layer.element, head.element);
  const regroup = createRegroup(store, env);
  parent.append(
    h("div", { class: "aw-titles" }, title, subtitle),
    h("div", { class: "aw-controls" }, pickers, regroup.element, views.element, edits),
  );

  function button(name: IconName, label: string, act: () => void): HTMLButtonElement {
    const props = { type: "button", class: "aw-button", "aria-label": label, title: label };
    const element = h("button", props, icon(name));
    listen(element, "click", act);
    return element;
  }

  function picker(
    name: string,
    pick: (value: string) => void,
    format: (value: string | number) => string = (value) => `${name} ${value}`,
  ) {
    const select = h("select", { "aria-label": name, class: `aw-pick-${name}` });
    // The arrows step from the option that was picked last, which Python may not have sent yet.
    let picked = 0;
    const pickNeighbour = (by: number) => () => {
      const option = select.options[picked + by];
      if (option) pick(option.value);
    };
    const previous = button("previous", `previous ${name}`, pickNeighbour(-1));
    const next = button("next", `next ${name}`, pickNeighbour(1));
    listen(select, "change", () => pick(select.value));
    return {
      element: h("div", { class: "aw-picker" }, previous, select, next),
      update(
        values: readonly (number | string)[],
        current: number | string,
        chosen: number | string,
        unproved: readonly (number | string)[] = [],
      ) {
        const key = `${values.join()};${unproved.join()}`;
        if (select.dataset.values !== key) {
          select.dataset.values = key;
          const labels = values.map((v) => (unproved.includes(v) ? `${format(v)} ⚠` : format(v)));
          select.replaceChildren(...values.map((v, i) => h("option", { value: v }, labels[i])));
        }
        select.value = String(current);
        picked = values.indexOf(store.live ? chosen : current);
        previous.disabled = picked <= 0;
        next.disabled = picked >= values.length - 1;
      },
    };
  }

  function update() {
    const model = isModel();
    text(title, store.get("title") || (model ? "Attention" : "Self-attention"));
    text(subtitle, store.get("subtitle"));
    views.set(store.get("view"));
    const offered = Object.values(every).filter((view) => isOffered(store, view));
    views.offer(
      offered.map(({ name }) => name),
      (name) => lacking(store, every[name as ViewName]),
    );
    const parts = currentView(every, store)?.parts ?? [];
    edits.hidden = !parts.includes("edits");
    presets.update();
    regroup.update();
    undo.disabled = !store.canUndo;
    redo.disabled = !store.canRedo;
    clear.disabled = !store.canClear;
    const allLayers = [...store.get("layers"), ...store.get("derived_layers")];
    const kinds = [...new Set(allLayers.map((l) => l.kind))];
    const { layers, shown } = store;
    const heads = Array.from({ length: store.nHeads }, (_, i) => i);
    layer.update(
      layers.map((l) => l.index),
      shown.layer,
      store.get("layer"),
      layers.filter((l) => l.proved === false).map((l) => l.index),
    );
    head.update(heads, shown.head, store.get("head"));
    kind.update(kinds, shown.kind, store.get("kind"));
    kind.element.hidden = kinds.length < 2;
    const isOfLayer = parts.includes("layer");
    layer.element.hidden = layers.length < 2 || !isOfLayer;
    pickers.hidden = kinds.length < 2 && (!isOfLayer || (layers.length < 2 && heads.length < 2));
    head.element.hidden = heads.length < 2 || !parts.includes("head");
  }
  store.subscribe(update, signal);
  update();
}
