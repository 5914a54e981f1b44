/** A long list on a canvas as high as the part in sight: the box scrolls, and one option stands for the active row. */
import { h } from "../ui/dom";
import { resizeCanvas } from "./canvas-view";
import { elementId } from "./element-id";

const TALLEST = 560;

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
    /** Make room for so many rows, and `border` pixels around those in sight. */
    arrange(rows: number, border = 0) {
      const full = rows * row;
      const height = Math.min(TALLEST, full);
      box.style.height = `${height + border}px`;
      spacer.style.height = `${full}px`;
      resizeCanvas(canvas, box.clientWidth, height);
    },
    /** Where an event is: pixels from the left, and the row, which may lie outside of the list. */
    at(event: MouseEvent): [x: number, row: number] {
      const bounds = canvas.getBoundingClientRect();
      const y = event.clientY - bounds.top + box.scrollTop;
      return [event.clientX - bounds.left, Math.floor(y / row)];
    },
    /** Scroll until a row is in sight. */
    reveal(index: number) {
      const bottom = (index + 1) * row - box.clientHeight;
      if (index * row < box.scrollTop) box.scrollTop = index * row;
      if (bottom > box.scrollTop) box.scrollTop = bottom;
    },
  };
}
