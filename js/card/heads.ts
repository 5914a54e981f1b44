/** Small maps of all heads side by side; a click selects a head. */
import { lut } from "../draw/color";
import { palette } from "../draw/palette";
import { paintThumb } from "../draw/thumb";
import { largest } from "../maths/extent";
import { placeOf, shownScale } from "../state/scale";
import type { Store } from "../state/store";
import { h } from "../ui/dom";
import { radioStep } from "../ui/segmented";
import type { Env } from "./view";

export function createHeads(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, listen, theme } = env;
  const strip = h("div", { class: "aw-heads", role: "radiogroup", "aria-label": "heads" });
  const caption = h("p", { class: "aw-where" }, "attention of every head");
  parent.append(h("div", { class: "aw-heads-box" }, strip, caption));
  const buttons: { element: HTMLButtonElement; canvas: HTMLCanvasElement }[] = [];

  function headButton(head: number) {
    const canvas = h("canvas", {});
    const label = `head ${head}`;
    const element = h("button", { role: "radio", "aria-label": label }, canvas, label);
    listen(element, "click", () => store.set("head", head));
    return { element, canvas };
  }

  listen(strip, "keydown", (event) => {
    const step = radioStep(event);
    if (!step) return;
    const next = (store.get("head") + step + buttons.length) % buttons.length;
    store.set("head", next);
    buttons[next].element.focus();
  });

  function paint() {
    const heads = store.stackedHeads;
    strip.hidden = caption.hidden = heads < 2;
    if (heads < 2) return;
    while (buttons.length < heads) {
      const button = headButton(buttons.length);
      buttons.push(button);
      strip.append(button.element);
    }
    for (const { element } of buttons.splice(heads)) element.remove();
    const table = lut(store.get("cmap"));
    const { masked } = palette(strip);
    // The card may be made before it is in the page, or before its stylesheet: paint again in a later frame.
    if (!masked) request();
    const { nQ, nK } = store;
    // Up to the maximum of the map, all heads share the largest weight, so that their colours can be compared.
    const maps = buttons.map((_, head) => store.matrix("attention", head)?.data as Float32Array);
    const scale = shownScale(store, "attention");
    const isOfMap = scale === "map" || scale === "sqrt";
    const top = isOfMap ? largest(maps.map((map) => largest(map))) : 1;
    buttons.forEach(({ element, canvas }, head) => {
      const data = maps[head];
      const blank = store.blankOf(head);
      const share = (at: number) => (blank[at] ? null : placeOf(scale, data[at] / (top || 1)));
      paintThumb(canvas, nQ, nK, share, table, masked);
      const current = head === store.get("head");
      element.setAttribute("aria-checked", String(current));
      element.tabIndex = current ? 0 : -1;
    });
  }
  const request = env.frame(paint);
  store.subscribe((change) => {
    const names = ["head", "cmap", "color_scale"];
    if (change.all || change.rows.size || names.some((name) => change.names.has(name))) request();
  }, signal);
  theme.subscribe(request, signal);
  paint();
}
