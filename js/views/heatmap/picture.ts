/** Repaints the map: rows that have changed, and marks that have changed, are painted in the next frame. */
import type { Env } from "../../card/view";
import { createCanvasView } from "../../draw/canvas-view";
import { createFlasher } from "../../draw/matrix/flash";
import type { Palette } from "../../draw/palette";
import { rowIsEmpty } from "../../explain/cell";
import type { Rows } from "../../state/before";
import { quantityAt } from "../../state/quantity";
import type { Change, Store } from "../../state/store";
import { createFollow } from "../../ui/follow";
import { cellsOf } from "./cells";
import type { Geometry } from "./geometry";
import { createImage } from "./image";
import { type KnockOutMarks, knockOutMarks } from "./knock-outs";
import { lightChanges } from "./light";
import type { Marks } from "./marks";
import { paintOverlay } from "./overlay";
import { paintMap } from "./paint";
import type { Surface } from "./surface";
import { createTable } from "./table";

/** Set the classes by which the stylesheet gives a map of many tokens the room of the inspector. */
function updateClasses(column: HTMLElement, { nK }: Store) {
  column.classList.toggle("aw-many", nK > 12);
  column.classList.toggle("aw-crowd", nK > 30);
}

/** Tell programs about the marks of knock-outs, which are pixels. */
function tellKnockOuts(map: HTMLElement, { out, reach, preview, takesOut }: KnockOutMarks) {
  map.dataset.knockedOut = String(out.length);
  map.dataset.reach = reach === null ? "" : String(reach);
  map.dataset.preview = preview.length ? (takesOut ? "out" : "back") : "";
}

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
  const colorsOf = createTable(store, env.theme);
  let geometry: Geometry | null = null;
  let dirty: Set<number> | "all" | null = "all";
  let emptyRows: number[] = [];
  /** The marks of the last request, as JSON. */
  let markKey = "";
  let areMarksPainted = false;
  let paints = 0;
  /** The edit whose differences were painted, and the rows that it may have changed; null for all rows. */
  let editOfDifferences = -1;
  let differing: Rows = null;

  /** An edit changes the differences in its rows, and in the rows of the edit before it. */
  function noteDifferences() {
    const { rows, edits } = store.before;
    // The rows of a stroke become more while the stroke lasts; the new rows are dirty already.
    if (edits !== editOfDifferences) {
      if (!rows || !differing) dirty = "all";
      else if (dirty !== "all") dirty = new Set([...(dirty ?? []), ...differing, ...rows]);
    }
    editOfDifferences = edits;
    differing = rows;
  }

  function paintDirty(g: Geometry, colors: Palette) {
    const cells = cellsOf(store);
    const { table, isNew } = colorsOf(cells);
    if (isNew) dirty = "all";
    if (cells.isDifference) noteDifferences();
    const changed = dirty === "all" ? null : dirty;
    const { ceiling, rows } = image.update(store, cells, table, colors.masked, changed);
    paintMap(baseContext, g, store, cells, image, table, colors, ceiling, rows);
    // Words over a row would hide the differences in the row.
    const every = cells.isDifference ? [] : Array.from({ length: store.nQ }, (_, q) => q);
    const empty = every.filter((q) => rowIsEmpty(store, q));
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
        if (!areMarksPainted) {
          const out = knockOutMarks(store, marks);
          paintOverlay(overContext, g, colors, marks, emptyRows, pinned(), out);
          tellKnockOuts(map, out);
        }
        areMarksPainted = true;
        flasher.painted(colors.accent);
      },
      themed() {
        dirty = "all";
      },
    },
    env,
  );
  const light = (color: string) => (geometry ? lightChanges(store, map, geometry, color) : 0);
  const flasher = createFlasher(store, light, view.request, env);
  updateClasses(parent, store);

  return {
    get geometry() {
      return geometry;
    },
    open: view.open,
    update({ all, rows, names }: Change) {
      // Another quantity has other numbers, which no edit has changed.
      if (names.has("quantity")) flasher.skip();
      if (all) {
        // The shape or the tokens may have changed.
        updateClasses(parent, store);
        view.relayout();
      } else if (
        ["cmap", "color_scale", "quantity", "difference", "run-difference"].some((name) =>
          names.has(name),
        )
      ) {
        dirty = "all";
      } else if (rows.size && dirty !== "all") {
        dirty = new Set([...(dirty ?? []), ...rows]);
      }
      if (dirty) view.request();
    },
    /** Paint the marks in the next frame, if they have changed. */
    mark() {
      const { cell } = marks;
      const key = JSON.stringify([marks, pinned(), knockOutMarks(store, marks)]);
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
