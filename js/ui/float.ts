/** Keeps a panel at the foot of what is seen of its card, where the host's scrolling hides its end. */
import type { Scope } from "./scope";

/**
 * `position: sticky` stops at the first ancestor that clips, and notebooks wrap outputs in such:
 * so the panel is moved by script, inside `within` and never above it.
 */
export function keepInView(panel: HTMLElement, within: HTMLElement, scope: Scope): void {
  const { signal, listen } = scope;
  let lift = 0;

  function place() {
    const box = panel.getBoundingClientRect();
    if (box.height === 0) return;
    const natural = box.bottom + lift;
    const room = within.getBoundingClientRect();
    const bottom = visibleBottom(within);
    // Not so far up that it would cover what it explains first: the top of the card.
    const most = Math.max(0, natural - box.height - room.top - 60);
    const next = Math.round(Math.min(most, Math.max(0, natural - bottom + 8)));
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
  const seen = new IntersectionObserver(request);
  seen.observe(panel);
  signal.addEventListener("abort", () => {
    seen.disconnect();
  });
  request();
}

/** The lowest line of the page that no scrolling or clipping ancestor cuts off. */
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
    // What is as tall as its content cuts nothing off.
    if (node.scrollHeight > node.clientHeight + 1) bottom = Math.min(bottom, box.bottom);
  }
  return bottom;
}
