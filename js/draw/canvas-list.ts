/** A long list that scrolls: a canvas draws the rows in sight, and an ARIA option describes the active row. */
import { h } from "../ui/dom";
import { resizeCanvas } from "./canvas-view";
import { elementId } from "./element-id";

const LARGEST_HEIGHT = 560;

/** `row` is the height of a row in pixels. */
export function createCanvasList(
  label: string,
  row: number,
  attributes: Record<string, string> = {},
) {
  const canvas = h("canvas", {});
  const spacer = h("div", { class: "aw-line-space" }, canvas);
  const id = elementId();
  const option = h("div", { role: "option", id });
  const list = { class: "aw-lines", role: "listbox", tabindex: 0, "aria-label": label };
  const box = h(
    "div",
    { ...list, ...attributes, "aria-activedescendant": id },
    spacer,
    h("div", { class: "aw-gridrow" }, option),
  );
  return {
    box,
    canvas,
    option,
    /** As high as all rows together. */
    spacer,
    /** Make room for this many rows; `border` is the height of the borders of the box in pixels. */
    arrange(rows: number, border = 0) {
      const full = rows * row;
      const height = Math.min(LARGEST_HEIGHT, full);
      box.style.height = `${height + border}px`;
      spacer.style.height = `${full}px`;
      resizeCanvas(canvas, box.clientWidth, height);
    },
    /** The place of an event: pixels from the left, and the row, which may lie outside the list. */
    at(event: MouseEvent): [x: number, row: number] {
      const bounds = canvas.getBoundingClientRect();
      const y = event.clientY - bounds.top + box.scrollTop;
      return [event.clientX - bounds.left, Math.floor(y / row)];
    },
    /** Scroll a row into sight. */
    reveal(index: number) {
      const bottom = (index + 1) * row - box.clientHeight;
      if (index * row < box.scrollTop) box.scrollTop = index * row;
      if (bottom > box.scrollTop) box.scrollTop = bottom;
    },
  };
}
