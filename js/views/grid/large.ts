/**
 * A large map of a head with the labels of its tokens and the statistics of the head. In a wide card the map
 * has a column of its own, where it covers no head; in a narrow card it lies a row below the thumbnail, or above.
 */

import { contextOf, resizeCanvas } from "../../draw/canvas-view";
import { fillLabel } from "../../draw/label";
import { palette } from "../../draw/palette";
import { number } from "../../explain/numbers";
import { shorten, visible } from "../../explain/tokens";
import { largest } from "../../maths/extent";
import type { Store } from "../../state/store";
import { fill, h } from "../../ui/dom";
import { type Head, statisticOf } from "./data";

/** The width of the panel, and of the map with its labels. */
export const PANEL = 264;
const MAP = PANEL - 26;
const LABEL = { font: 10, room: 60 };

export function createLarge(root: HTMLElement, store: Store) {
  const element = h("div", { class: "aw-grid-large", hidden: true });
  let isBeside = false;

  function contents(head: Head, thumb: HTMLCanvasElement, sink: boolean): HTMLElement[] {
    const fact = (name: string, value: number | null) =>
      h("div", {}, h("span", {}, name), h("b", {}, value === null ? "–" : number(value)));
    const facts = Object.keys(head.statistics).map((name) =>
      fact(name, statisticOf(head, name, sink)),
    );
    return [
      h("h4", {}, `layer ${head.layer}, head ${head.head}`),
      labelledMap(head, thumb),
      h("div", { class: "aw-facts" }, ...facts, fact("largest", head.peak)),
    ];
  }

  function labelledMap(head: Head, thumb: HTMLCanvasElement): HTMLCanvasElement {
    const canvas = h("canvas", {});
    const context = contextOf(canvas);
    const colors = palette(root);
    const font = `${LABEL.font}px ${colors.font}`;
    context.font = font;
    const measure = (text: string) => context.measureText(text).width;
    // A pixel of a map of many tokens stands for several tokens: its label is the first.
    const labels = (tokens: readonly string[], pixels: number) =>
      Array.from({ length: pixels }, (_, i) => {
        const at = tokens.length > pixels + 1 ? Math.floor((i * tokens.length) / pixels) : i;
        return shorten(visible(tokens[at] ?? ""), LABEL.room, measure);
      });
    const queries = labels(store.tokens, head.rows);
    const keys = labels(store.keyTokens, head.cols);
    const left = Math.ceil(largest(queries.map(measure))) + 4;
    const top = Math.ceil(largest(keys.map(measure))) + 4;
    const cell = Math.min((MAP - left) / head.cols, MAP / head.rows);
    const [width, height] = [cell * head.cols, cell * head.rows];
    resizeCanvas(canvas, left + width, top + height);
    context.imageSmoothingEnabled = false;
    context.drawImage(thumb, left, top, width, height);
    Object.assign(context, { font, fillStyle: colors.muted, textBaseline: "middle" });
    const step = Math.ceil((LABEL.font + 1) / cell);
    context.textAlign = "right";
    for (let q = 0; q < head.rows; q += step) {
      fillLabel(context, queries[q], left - 4, top + (q + 0.5) * cell);
    }
    context.textAlign = "left";
    for (let k = 0; k < head.cols; k += step) {
      context.save();
      context.translate(left + (k + 0.5) * cell, top - 4);
      context.rotate(-Math.PI / 2);
      fillLabel(context, keys[k], 0, 0);
      context.restore();
    }
    return canvas;
  }

  /** Below the row under the thumbnail, or above the thumbnail where the card ends: the heads beside it stay in sight. */
  function place(list: HTMLElement, button: HTMLElement) {
    const [card, box] = [root.getBoundingClientRect(), button.getBoundingClientRect()];
    const row = box.height + 8;
    const [panel, above, below] = [element.offsetHeight, box.top - card.top, box.bottom - card.top];
    const grid = list.offsetTop + list.offsetHeight;
    // A short grid has no room for the panel on either side, so the card gets the room below.
    const end = above >= panel + 4 ? grid : Math.max(grid, below + row + panel);
    root.style.minHeight = `${end}px`;
    const fits = below + row + panel <= end;
    const left = Math.min(box.left - card.left, card.width - element.offsetWidth);
    element.style.left = `${Math.max(0, left)}px`;
    element.style.top = `${fits ? below + row : above - panel - 4}px`;
  }

  return {
    element,
    /** Whether the panel has a column beside the thumbnails. */
    get beside() {
      return isBeside;
    },
    set beside(value: boolean) {
      if (value === isBeside) return;
      isBeside = value;
      element.hidden = true;
      root.classList.toggle("aw-panel-beside", value);
      element.style.left = element.style.top = root.style.minHeight = "";
    },
    get isHidden() {
      return element.hidden;
    },
    /** In a column of its own the panel keeps the last head. */
    hide() {
      if (!isBeside) element.hidden = true;
    },
    forget() {
      element.hidden = true;
    },
    /** Show a head. The contents are made again only where `key` differs. */
    show(
      key: string,
      head: Head,
      thumb: HTMLCanvasElement,
      sink: boolean,
      list: HTMLElement,
      button: HTMLElement,
    ) {
      fill(element, key, () => contents(head, thumb, sink));
      element.hidden = false;
      if (!isBeside) return place(list, button);
      const top = button.getBoundingClientRect().top - root.getBoundingClientRect().top;
      const lowest = list.offsetTop + list.offsetHeight - element.offsetHeight;
      element.style.top = `${Math.max(list.offsetTop, Math.min(top, lowest))}px`;
      // The card of a few heads gets the room that the panel needs.
      root.style.minHeight = `${list.offsetTop + element.offsetHeight}px`;
    },
  };
}
