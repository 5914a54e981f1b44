/** Keep a panel visible while its own place is outside the visible part of a card. */
import type { Scope } from "./scope";

const MARGIN = 8;

interface Span {
  top: number;
  bottom: number;
}
interface Box extends Span {
  left: number;
  right: number;
}
type Shift = readonly [x: number, y: number];

/**
 * Move the panel by script, inside `within`. `position: sticky` does not work here, because notebooks
 * wrap outputs in elements with `overflow`, and a sticky element sticks to the nearest of these.
 * `covered` returns the elements that the panel must not lie over: the panel moves beside them, or
 * stays at its own place where there is no room.
 */
export function keepInView(
  panel: HTMLElement,
  within: HTMLElement,
  covered: () => readonly Element[],
  scope: Scope,
): () => void {
  const { signal, listen } = scope;
  let shift: Shift = [0, 0];

  function place() {
    const box = panel.getBoundingClientRect();
    if (box.height === 0) return;
    const home = movedBy(box, [-shift[0], -shift[1]]);
    const others = covered().map((element) => element.getBoundingClientRect());
    const card = within.getBoundingClientRect();
    const next = shiftsInto(visibleSpan(within), home, others, card).at(0) ?? [0, 0];
    if (String(next) === String(shift)) return;
    shift = next;
    const isMoved = shift.some((by) => by !== 0);
    panel.style.transform = isMoved ? `translate(${shift[0]}px, ${shift[1]}px)` : "";
    panel.dataset.floats = String(isMoved);
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
  return request;
}

/**
 * The moves of a panel into the view that cover nothing of `others`, the best move first: none where
 * the panel is in sight, else to the near edge and then to the other edge, if need be to the left of
 * the others. The panel stays in the card.
 */
export function shiftsInto(
  view: Span,
  home: Box,
  others: readonly Box[],
  card: Box,
): readonly Shift[] {
  const toBottom = Math.round(view.bottom - MARGIN - home.bottom);
  const toTop = Math.round(view.top + MARGIN - home.top);
  const isBelow = home.bottom > view.bottom;
  if (!isBelow && home.top >= view.top) return [[0, 0]];
  const across = [0, ...others.map(({ left }) => Math.round(left - MARGIN - home.right))];
  const moves = (isBelow ? [toBottom, toTop] : [toTop, toBottom]).flatMap((y) =>
    across.map((x) => [x, y] as const),
  );
  return moves.filter((by) => {
    const box = movedBy(home, by);
    const isInside = box.left >= card.left && box.top >= card.top && by[0] <= 0;
    return isInside && !others.some((other) => overlap(box, other));
  });
}

const movedBy = ({ left, right, top, bottom }: Box, [x, y]: Shift): Box => ({
  ...{ left: left + x, right: right + x, top: top + y, bottom: bottom + y },
});

const overlap = (a: Box, b: Box) =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Return the part of the window that no scrolling or clipping ancestor cuts off. */
export function visibleSpan(el: HTMLElement): Span {
  const span = { top: 0, bottom: el.ownerDocument.defaultView?.innerHeight ?? Number.MAX_VALUE };
  for (
    let node: Node | null = el;
    node;
    node = node.parentNode ?? (node as ShadowRoot).host ?? null
  ) {
    if (!(node instanceof Element) || node === el.ownerDocument.documentElement) continue;
    if (getComputedStyle(node).overflowY === "visible") continue;
    const box = node.getBoundingClientRect();
    // An ancestor that is as tall as its content cuts nothing off.
    if (node.scrollHeight <= node.clientHeight + 1) continue;
    span.top = Math.max(span.top, box.top);
    span.bottom = Math.min(span.bottom, box.bottom);
  }
  return span;
}
