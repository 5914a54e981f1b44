/** The arrows of the flow, drawn under the matrices. */
import { elementId } from "../../draw/element-id";
import type { Chart } from "./flow";

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

function svg(tag: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(SVG_NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  return element;
}

export function createArrows() {
  const element = svg("svg", { class: "aw-arrows", "aria-hidden": "true" });
  const id = elementId();
  const marker = svg("marker", {
    id,
    viewBox: "0 0 8 8",
    refX: 7,
    refY: 4,
    markerWidth: 7,
    markerHeight: 7,
    orient: "auto-start-reverse",
  });
  marker.append(svg("path", { d: "M0 0 8 4 0 8Z" }));
  const defs = svg("defs", {});
  defs.append(marker);
  return {
    element,
    draw({ width, height, arrows }: Chart) {
      element.setAttribute("width", String(Math.ceil(width)));
      element.setAttribute("height", String(Math.ceil(height)));
      const drawn = arrows.flatMap(({ d, label }) => {
        const path = svg("path", { class: "aw-arrow", d, "marker-end": `url(#${id})` });
        if (!label) return [path];
        const text = svg("text", { x: label.x, y: label.y + 4 });
        text.textContent = label.text;
        return [path, text];
      });
      element.replaceChildren(defs, ...drawn);
    },
  };
}
