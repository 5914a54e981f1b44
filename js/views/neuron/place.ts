/** The query that is shown, and the marked key: by pointer, by keyboard, or from the list of queries. */
import type { createCanvasList } from "../../draw/canvas-list";
import { markedCell } from "../../explain/cell";
import { inText } from "../../explain/tokens";
import type { Store } from "../../state/store";
import { fill, h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";

export function createPlace(
  store: Store,
  { box, at, reveal }: ReturnType<typeof createCanvasList>,
  changed: () => void,
  { listen }: Scope,
) {
  const select = h("select", { "aria-label": "query" });
  const element = h(
    "label",
    { class: "aw-field" },
    h("span", {}, "query"),
    select,
    h("span", { class: "aw-where" }, "click a key to make it the query"),
  );
  let [query, active] = markedCell(store);
  let hovered: number | null = null;
  let isFocused = false;

  function updateSelect() {
    fill(select, JSON.stringify(store.tokens), () =>
      store.tokens.map((token, q) => h("option", { value: q }, `${q} ${inText(token)}`)),
    );
    select.value = String(query);
  }

  function choose(q: number, k: number) {
    query = Math.min(store.nQ - 1, Math.max(0, q));
    active = Math.min(store.nK - 1, Math.max(0, k));
    store.set("selection", [query, active]);
    updateSelect();
    changed();
  }

  const keyAt = (event: MouseEvent) => {
    const [, key] = at(event);
    return key >= 0 && key < store.nK ? key : null;
  };
  listen(select, "change", () => choose(Number(select.value), active));
  listen(box, "pointermove", (event) => {
    const key = keyAt(event);
    if (key === hovered) return;
    hovered = key;
    changed();
  });
  listen(box, "pointerleave", () => {
    hovered = null;
    changed();
  });
  listen(box, "click", (event) => {
    const key = keyAt(event);
    // In cross-attention the keys are tokens of another text and cannot become the query.
    if (key !== null) choose(store.get("key_tokens") ? query : key, key);
  });
  listen(box, "keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by !== undefined) choose(query, active + by);
    else if (turn !== undefined) choose(query + turn, active);
    else return;
    event.preventDefault();
    event.stopPropagation();
    hovered = null;
    reveal(active);
  });
  for (const kind of ["focus", "blur"] as const) {
    listen(box, kind, () => {
      isFocused = kind === "focus" && box.matches(":focus-visible");
      changed();
    });
  }
  updateSelect();

  return {
    element,
    get query() {
      return query;
    },
    get key() {
      return hovered ?? active;
    },
    get isFocused() {
      return isFocused;
    },
    /** The tokens have changed, or (`isMoved`) the selection has. */
    update(isMoved: boolean) {
      if (isMoved) [query, active] = markedCell(store);
      updateSelect();
    },
    /** Keep query and key inside the map, because another map may have fewer of them. */
    limit() {
      query = Math.min(query, store.nQ - 1);
      active = Math.min(active, store.nK - 1);
      if (hovered !== null && hovered >= store.nK) hovered = null;
    },
  };
}
