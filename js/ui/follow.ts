/** Keep the newest row of a text in view while the text is generated, unless the reader has scrolled away. */
import type { Store } from "../state/store";
import { visibleSpan } from "./float";
import type { Scope } from "./scope";

/** `rows` is the element that ends with the newest row. Call the returned function when it has its new height. */
export function createFollow(rows: HTMLElement, store: Store, { listen }: Scope): () => void {
  const tokens = () => store.get("generation")?.tokens.length ?? 0;
  let count = tokens();
  /** Whether the reader looks at the newest row; null where the reader has not scrolled. */
  let isFollowing: boolean | null = null;
  const isInView = (y: number) => {
    const { top, bottom } = visibleSpan(rows);
    return y > top && y <= bottom + 1;
  };
  const isNewestInView = () => isInView(rows.getBoundingClientRect().bottom);
  listen(
    rows.ownerDocument,
    "scroll",
    () => {
      isFollowing = isNewestInView();
    },
    { capture: true, passive: true },
  );
  return () => {
    const before = count;
    count = tokens();
    if (count <= before) return;
    // The page does not scroll to a card that is outside the window.
    isFollowing ??= isInView(rows.getBoundingClientRect().top);
    if (isFollowing && !isNewestInView()) rows.scrollIntoView({ block: "end", inline: "nearest" });
  };
}
