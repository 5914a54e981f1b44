/** The choice of a stack, a layer and a head. A picker that a view does not use is disabled. */
import type { Store } from "../state/store";
import { disable, iconButton } from "../ui/button";
import { h } from "../ui/dom";
import { currentView, type Env, type Views } from "./view";

export function createPickers(store: Store, every: Views, env: Env) {
  const stack = picker("stack", (value) => store.set("stack", value), String);
  const layer = picker("layer", (value) => store.set("layer", Number(value)));
  const head = picker("head", (value) => store.set("head", Number(value)));
  const element = h("div", { class: "aw-pickers" }, stack.element, layer.element, head.element);

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
    const previous = iconButton("previous", `previous ${name}`, pickNeighbour(-1), env);
    const next = iconButton("next", `next ${name}`, pickNeighbour(1), env);
    env.listen(select, "change", () => {
      const { value } = select;
      select.value = shown; // the header never names a layer that is not drawn
      pick(value);
    });
    let shown = "";
    return {
      element: h("div", { class: "aw-picker" }, previous, select, next),
      update(
        values: readonly (number | string)[],
        current: number | string,
        chosen: number | string,
        reason: string,
        unproved: readonly (number | string)[] = [],
      ) {
        const key = `${values.join()};${unproved.join()}`;
        if (select.dataset.values !== key) {
          select.dataset.values = key;
          const labels = values.map((v) => (unproved.includes(v) ? `${format(v)} ⚠` : format(v)));
          select.replaceChildren(...values.map((v, i) => h("option", { value: v }, labels[i])));
        }
        shown = String(current);
        select.value = shown;
        // Where no answer comes, the arrows step from the option that is drawn.
        picked = values.indexOf(store.live && !store.late ? chosen : current);
        select.disabled = reason !== "";
        select.title = reason;
        disable(previous, reason !== "" || picked <= 0, reason || `previous ${name}`);
        disable(next, reason !== "" || picked >= values.length - 1, reason || `next ${name}`);
      },
    };
  }

  return {
    element,
    update() {
      const allLayers = [...store.get("layers"), ...store.get("derived_layers")];
      const stacks = [...new Set(allLayers.map((l) => l.stack))];
      const { layers, shown } = store;
      const view = currentView(every, store);
      const unused = (part: "layer" | "head", all: string) =>
        view && !view.parts.includes(part) ? `${view.label} shows ${all}` : "";
      const heads = Array.from({ length: store.nHeads }, (_, i) => i);
      stack.update(stacks, shown.stack, store.get("stack"), "");
      layer.update(
        layers.map((l) => l.index),
        shown.layer,
        store.get("layer"),
        layers.length < 2 ? "this stack has one layer" : unused("layer", "every layer"),
        layers.filter((l) => l.proved === false).map((l) => l.index),
      );
      const oneHead = "there is one head";
      const reason = heads.length < 2 ? oneHead : unused("head", "every head");
      head.update(heads, shown.head, store.get("head"), reason);
      // What another stack or another number of heads needs has its place from the start.
      const perStack = stacks.map((name) => allLayers.filter((l) => l.stack === name).length);
      stack.element.hidden = stacks.length < 2;
      layer.element.hidden = Math.max(...perStack) < 2;
      const isLab = store.get("seed") !== null;
      head.element.hidden = !isLab && allLayers.every((l) => l.n_heads < 2);
    },
  };
}
