/** Repaints the map: rows that have changed, and marks that have changed, are painted in the next frame. */
import type { Env } from "../../card/view";
import { createCanvasView } from "../../draw/canvas-view";
import { type Lut, lut, signedLut } from "../../draw/color";
import type { Palette } from "../../draw/palette";
import { rowIsEmpty } from "../../explain/cell";
import { quantityAt } from "../../state/quantity";
import { isSigned } from "../../state/scale";
import type { Change, Store } from "../../state/store";
import { createFollow } from "../../ui/follow";
import type { Geometry } from "./geometry";
import { type Marks, paintOverlay } from "./overlay";
import { createImage, paintMap } from "./paint";
import type { Surface } from "./surface";

export function createPicture(
  parent: HTMLElement,
  surface: Surface,
  store: Store,
  marks: Marks,
  env: Env,
) {
  const { map, baseContext, overContext } = surface;
  const image = createImage();
  const follow = createFollow(map, store, env);
  const pinned = () => (env.focus.isPinned ? env.focus.cell : null);
  const tableOfColors = () =>
    isSigned(store) ? signedLut(env.theme.dark) : lut(store.get("cmap"));
  let table: Lut = tableOfColors();
  let geometry: Geometry | null = null;
  let dirty: Set<number> | "all" | null = "all";
  let emptyRows: number[] = [];
  /** The marks of the last request, as JSON. */
  let markKey = "";
  let areMarksPainted = false;
  let paints = 0;

  /** Set the classes by which the stylesheet gives a map of many tokens the room of the inspector. */
  function updateClasses() {
    parent.classList.toggle("aw-many", store.nK > 12);
    parent.classList.toggle("aw-crowd", store.nK > 30);
  }

  function paintDirty(g: Geometry, colors: Palette) {
    const changed = dirty === "all" ? null : dirty;
    const { ceiling, rows } = image.update(store, table, colors.masked, changed);
    paintMap(baseContext, g, store, image, table, colors, ceiling, rows);
    const empty = Array.from({ length: store.nQ }, (_, q) => q).filter((q) => rowIsEmpty(store, q));
    if (!rows || empty.join() !== emptyRows.join()) areMarksPainted = false;
    emptyRows = empty;
    dirty = null;
    map.dataset.painted = String(++paints);
  }

  const view = createCanvasView(
    parent,
    {
      arrange(width) {
        geometry = surface.arrange(width, store.tokens, store.keyTokens);
        follow();
        dirty = "all";
        return true;
      },
      paint(colors) {
        const g = geometry as Geometry;
        if (dirty) paintDirty(g, colors);
        if (!areMarksPainted) paintOverlay(overContext, g, colors, marks, emptyRows, pinned());
        areMarksPainted = true;
      },
      themed() {
        table = tableOfColors();
        dirty = "all";
      },
    },
    env,
  );
  updateClasses();

  return {
    get geometry() {
      return geometry;
    },
    open: view.open,
    update({ all, rows, names }: Change) {
      if (all || names.has("cmap") || names.has("quantity")) table = tableOfColors();
      if (all) {
        // The shape or the tokens may have changed.
        updateClasses();
        view.relayout();
      } else if (["cmap", "color_scale", "quantity"].some((name) => names.has(name))) {
        dirty = "all";
      } else if (rows.size && dirty !== "all") {
        dirty = new Set([...(dirty ?? []), ...rows]);
      }
      if (dirty) view.request();
    },
    /** Paint the marks in the next frame, if they have changed. */
    mark() {
      const { cell } = marks;
      const key = JSON.stringify([marks, pinned()]);
      if (key !== markKey) {
        markKey = key;
        areMarksPainted = false;
        view.request();
      }
      map.dataset.hover = cell ? cell.join() : "";
      map.dataset.value = (cell && quantityAt(store, cell[0], cell[1])?.toFixed(4)) ?? "";
    },
  };
}
