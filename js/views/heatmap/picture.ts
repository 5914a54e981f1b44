/** The map's pixels from change to change: what is dirty is painted in the next frame. */
import type { Env } from "../../card/view";
import { createCanvasView } from "../../draw/canvas-view";
import { type Lut, lut, signedLut } from "../../draw/color";
import type { Palette } from "../../draw/palette";
import { rowIsEmpty } from "../../explain/cell";
import { quantityAt } from "../../state/quantity";
import type { Change, Store } from "../../state/store";
import type { Geometry } from "./geometry";
import { type Marks, paintOverlay } from "./overlay";
import { createImage, isSigned, paintMap, shownScale } from "./paint";
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
  const colours = () => (isSigned(store) ? signedLut(env.theme.dark) : lut(store.get("cmap")));
  let table: Lut = colours();
  let geometry: Geometry | null = null;
  let dirty: Set<number> | "all" | null = "all";
  let empty: number[] = [];
  /** The marks as they were last asked for, and whether they are painted. */
  let marked = "";
  let isMarked = false;
  let painted = 0;

  /** A map of many tokens takes the room of the inspector beside it. */
  function crowd() {
    parent.classList.toggle("aw-many", store.nK > 12);
    parent.classList.toggle("aw-crowd", store.nK > 30);
  }

  function paintDirty(g: Geometry, colors: Palette) {
    // On the map's own scale one changed row may change every colour.
    const all = dirty === "all" || shownScale(store) === "map";
    const rows = all ? null : (dirty as Set<number>);
    const ceiling = image.update(store, table, colors.masked, rows);
    paintMap(baseContext, g, store, image, table, colors, ceiling, rows);
    const blind = Array.from({ length: store.nQ }, (_, q) => q).filter((q) => rowIsEmpty(store, q));
    if (all || blind.join() !== empty.join()) isMarked = false;
    empty = blind;
    dirty = null;
    map.dataset.painted = String(++painted);
  }

  const view = createCanvasView(
    parent,
    {
      arrange(width) {
        geometry = surface.arrange(width, store.tokens, store.keyTokens);
        dirty = "all";
        return true;
      },
      paint(colors) {
        const g = geometry as Geometry;
        if (dirty) paintDirty(g, colors);
        if (!isMarked) paintOverlay(overContext, g, colors, marks, empty);
        isMarked = true;
      },
      themed() {
        table = colours();
        dirty = "all";
      },
    },
    env,
  );
  crowd();

  return {
    get geometry() {
      return geometry;
    },
    open: view.open,
    update({ all, rows, names }: Change) {
      if (all || names.has("cmap") || names.has("quantity")) table = colours();
      if (all) {
        // Another shape or other tokens lie elsewhere.
        crowd();
        view.relayout();
      } else if (["cmap", "color_scale", "quantity"].some((name) => names.has(name))) {
        dirty = "all";
      } else if (rows.size && dirty !== "all") {
        dirty = new Set([...(dirty ?? []), ...rows]);
      }
      if (dirty) view.request();
    },
    /** Show the marks, if they are others than those shown. */
    mark() {
      const { cell } = marks;
      const wanted = JSON.stringify(marks);
      if (wanted !== marked) {
        marked = wanted;
        isMarked = false;
        view.request();
      }
      map.dataset.hover = cell ? cell.join() : "";
      map.dataset.value = (cell && quantityAt(store, cell[0], cell[1])?.toFixed(4)) ?? "";
    },
  };
}
