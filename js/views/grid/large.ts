/** The map of one head large, with all that is known of the head, beside its thumbnail and inside the card. */
import { contextOf } from "../../draw/canvas-view";
import { number } from "../../explain/numbers";
import { fill, h } from "../../ui/dom";
import { type Head, statisticOf } from "./data";

export function createLarge(root: HTMLElement) {
  const element = h("div", { class: "aw-grid-large", hidden: true });

  function contents(head: Head, thumb: HTMLCanvasElement, sink: boolean): HTMLElement[] {
    const copy = h("canvas", { width: head.cols, height: head.rows });
    contextOf(copy).drawImage(thumb, 0, 0);
    const fact = (name: string, value: number | null) =>
      h("div", {}, h("span", {}, name), h("b", {}, value === null ? "–" : number(value)));
    const facts = Object.keys(head.statistics).map((name) =>
      fact(name, statisticOf(head, name, sink)),
    );
    return [
      h("h4", {}, `layer ${head.layer}, head ${head.head}`),
      copy,
      h("div", { class: "aw-facts" }, ...facts, fact("largest", head.peak)),
    ];
  }

  return {
    element,
    hide() {
      element.hidden = true;
    },
    /** `key` says what the contents depend on. */
    show(key: string, head: Head, thumb: HTMLCanvasElement, sink: boolean, by: HTMLElement) {
      fill(element, key, () => contents(head, thumb, sink));
      element.hidden = false;
      const [card, box] = [root.getBoundingClientRect(), by.getBoundingClientRect()];
      const right = box.right - card.left + 8;
      const fits = right + element.offsetWidth <= card.width;
      const left = fits ? right : Math.max(0, box.left - card.left - element.offsetWidth - 8);
      const top = Math.min(box.top - card.top, Math.max(0, card.height - element.offsetHeight));
      element.style.left = `${left}px`;
      element.style.top = `${Math.max(0, top)}px`;
    },
  };
}
