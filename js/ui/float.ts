/** Keep a panel visible at the lower edge of the visible part of a card. */
import type { Scope } from "./scope";

/**
 * Move the panel by script, inside `within`. `position: sticky` does not work here, because notebooks
 * wrap outputs in elements with `overflow`, and a sticky element sticks to the nearest of these.
 */
export function keepInView(panel: HTMLElement, within: HTMLElement, scope: Scope): void {
  const { signal, listen } = scope;
  let lift = 0;

  function place() {
    const box = panel.getBoundingClientRect();
    if (box.height === 0) return;
    const bottomUnlifted = box.bottom + lift;
    const card = within.getBoundingClientRect();
    const bottom = visibleBottom(within);
    // The panel must not cover the top of the card.
    const highest = Math.max(0, bottomUnlifted - box.height - card.top - 60);
    const next = Math.round(Math.min(highest, Math.max(0, bottomUnlifted - bottom + 8)));
    if (next === lift) return;
    lift = next;
    panel.style.transform = lift ? `translateY(${-lift}px)` : "";
    panel.dataset.floats = String(lift > 0);
  }
  const request = scope.frame(place);
  const { ownerDocument: page } = panel;
  listen(page, "scroll", request, { capture: true, passive: true });
  if (page.defaultView) listen(page.defaultView, "resize", request);
  scope.onResize([within, panel], request);
  const visibility = new IntersectionObserver(request);
  visibility.observe(panel);
  signal.addEventListener("abort", () => {
    visibility.disconnect();
  });
  request();
}

/** Return the lowest y in the window that no scrolling or clipping ancestor cuts off. */
function visibleBottom(el: HTMLElement): number {
  let bottom = el.ownerDocument.defaultView?.innerHeight ?? Number.POSITIVE_INFINITY;
  for (
    let node: Node | null = el;
    node;
    node = node.parentNode ?? (node as ShadowRoot).host ?? null
  ) {
    if (!(node instanceof Element) || node === el.ownerDocument.documentElement) continue;
    if (getComputedStyle(node).overflowY === "visible") continue;
    const box = node.getBoundingClientRect();
    // An ancestor that is as tall as its content cuts nothing off.
    if (node.scrollHeight > node.clientHeight + 1) bottom = Math.min(bottom, box.bottom);
  }
  return bottom;
}
