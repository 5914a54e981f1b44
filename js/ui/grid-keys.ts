/** The keys of an ARIA grid. */
import type { Cell } from "./focus";

/** Return the cell that a key moves to, or null if the key does not move in a grid. */
export function step(
  event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey">,
  [q, k]: Cell,
  nQ: number,
  nK: number,
): Cell | null {
  const end = event.ctrlKey || event.metaKey;
  const clamp = (a: number, b: number): Cell => [
    Math.min(nQ - 1, Math.max(0, a)),
    Math.min(nK - 1, Math.max(0, b)),
  ];
  switch (event.key) {
    case "ArrowUp":
      return clamp(end ? 0 : q - 1, k);
    case "ArrowDown":
      return clamp(end ? nQ - 1 : q + 1, k);
    case "ArrowLeft":
      return clamp(q, end ? 0 : k - 1);
    case "ArrowRight":
      return clamp(q, end ? nK - 1 : k + 1);
    case "Home":
      return clamp(end ? 0 : q, 0);
    case "End":
      return clamp(end ? nQ - 1 : q, nK - 1);
    case "PageUp":
      return clamp(q - 10, k);
    case "PageDown":
      return clamp(q + 10, k);
    default:
      return null;
  }
}
