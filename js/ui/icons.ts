/** Icons, drawn as strokes in the colour of the text. */

const PATHS = {
  undo: "M4 6h6a3 3 0 0 1 0 6H6M4 6l3-3M4 6l3 3",
  redo: "M12 6H6a3 3 0 0 0 0 6h4M12 6 9 3m3 3L9 9",
  clear: "M4 4l8 8M12 4l-8 8",
  previous: "M10 3 5 8l5 5",
  next: "M6 3l5 5-5 5",
  stop: "M4.5 4.5h7v7h-7z",
  dock: "M2.5 3.5h11v9h-11zM9.5 3.5v9",
  fold: "M4 6.5l4 4 4-4",
  figure: "M8 2.5v7M5 7l3 3 3-3M3 13h10",
  compare: "M3 6h10l-3-3M13 10H3l3 3",
  dice: "M3 3h10v10H3zM6 6h.01M10 6h.01M8 8h.01M6 10h.01M10 10h.01",
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): SVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "aw-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
