/** The queries or the key whose lines are shown: under the pointer, reached by keyboard, or selected by a click. */
import type { createCanvasList } from "../../draw/canvas-list";
import type { Scope } from "../../ui/scope";
import type { LineData } from "./data";
import type { Columns } from "./paint";

interface Lines {
  data(): LineData | null;
  columns(): Columns;
  /** The queries that are selected at first. */
  pinned: readonly number[];
  changed(): void;
}

export function createLooking(
  { box, at, reveal }: ReturnType<typeof createCanvasList>,
  { data, columns, pinned, changed }: Lines,
  { listen }: Scope,
) {
  const selected = new Set(pinned);
  let hovered: number | null = null;
  let key: number | null = null;
  let active = 0;
  let isKeyboard = false;

  function toggle(query: number) {
    active = query;
    if (!selected.delete(query)) selected.add(query);
  }

  function placeOf(event: MouseEvent) {
    const [x, row] = at(event);
    const { left, right } = columns();
    const { nQ, nK } = data() ?? { nQ: 0, nK: 0 };
    return { query: x < left && row < nQ ? row : null, key: x > right && row < nK ? row : null };
  }

  const look = (event: PointerEvent) => {
    const place = placeOf(event);
    box.style.cursor = place.query === null ? "" : "pointer";
    if (place.query === hovered && place.key === key) return;
    hovered = place.query;
    key = place.key;
    changed();
  };
  listen(box, "pointermove", look);
  listen(box, "pointerdown", look);
  listen(box, "pointerleave", ({ pointerType }) => {
    hovered = null;
    // A finger that is lifted has left, too: what it has touched stays in sight.
    if (pointerType !== "touch") key = null;
    changed();
  });
  listen(box, "click", (event) => {
    const { query } = placeOf(event);
    if (query === null) selected.clear();
    else toggle(query);
    changed();
  });
  listen(box, "keydown", (event) => {
    const { nQ } = data() ?? { nQ: 0 };
    if (nQ === 0) return;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    const end = { Home: 0, End: nQ - 1 }[event.key];
    if (by !== undefined || end !== undefined) {
      active = Math.min(nQ - 1, Math.max(0, end ?? active + (by ?? 0)));
      reveal(active);
    } else if (event.key === " " || event.key === "Enter") toggle(active);
    else if (event.key === "Escape" && selected.size) selected.clear();
    else return;
    isKeyboard = true;
    hovered = null;
    event.preventDefault();
    event.stopPropagation();
    changed();
  });
  listen(box, "focus", () => {
    isKeyboard = box.matches(":focus-visible");
    changed();
  });
  listen(box, "blur", () => {
    isKeyboard = false;
    changed();
  });

  return {
    selected: selected as ReadonlySet<number>,
    /** The key under the pointer. */
    get key() {
      return key;
    },
    get active() {
      return active;
    },
    get isKeyboard() {
      return isKeyboard;
    },
    /** The queries whose lines are shown; null for all queries, and while a key is under the pointer. */
    get queries(): ReadonlySet<number> | null {
      if (key !== null) return null;
      if (hovered !== null) return new Set([hovered]);
      if (selected.size) return selected;
      return isKeyboard ? new Set([active]) : null;
    },
    /** Forget the selected queries, because the tokens are others. */
    forget: () => selected.clear(),
    /** Forget queries that do not exist any more, because there are only `nQ`. */
    limit(nQ: number) {
      active = Math.min(active, nQ - 1);
      for (const query of selected) if (query >= nQ) selected.delete(query);
    },
  };
}
