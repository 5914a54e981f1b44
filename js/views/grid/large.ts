/** A large map of a head with the statistics of the head, beside the thumbnail and inside the card. */
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
    /** Show a head beside `button`. The contents are made again only where `key` differs. */
    show(key: string, head: Head, thumb: HTMLCanvasElement, sink: boolean, button: HTMLElement) {
      fill(element, key, () => contents(head, thumb, sink));
      element.hidden = false;
      const [card, box] = [root.getBoundingClientRect(), button.getBoundingClientRect()];
      const right = box.right - card.left + 8;
      const fits = right + element.offsetWidth <= card.width;
      const left = fits ? right : Math.max(0, box.left - card.left - element.offsetWidth - 8);
      const top = Math.min(box.top - card.top, Math.max(0, card.height - element.offsetHeight));
      element.style.left = `${left}px`;
      element.style.top = `${Math.max(0, top)}px`;
    },
  };
}
