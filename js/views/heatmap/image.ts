/** The colours of the cells as an image, from which the map is drawn. */
import { contextOf } from "../../draw/canvas-view";
import { isLight, type Lut, lutIndex, parseColor } from "../../draw/color";
import { largest, largestSize } from "../../maths/extent";
import { shareOf } from "../../state/scale";
import type { Store } from "../../state/store";
import type { Cells } from "./cells";

/** An image with a pixel for each cell, kept between paints, because a change then costs only the rows that changed. */
export function createImage() {
  const canvas = document.createElement("canvas");
  const context = contextOf(canvas);
  let image: ImageData | null = null;
  /** The largest number of each row, and of the map: a change in one row need not change the others' colours. */
  let tops = new Float32Array(0);
  let ceiling = Number.NaN;

  return {
    canvas,
    /**
     * Colour the pixels of `rows`, of all rows for null. Returns the value that gets the last colour
     * of the table, and the rows that were coloured: all of them where that value has changed.
     */
    update(
      { nQ, nK }: Store,
      { data, blank, scale, signed }: Cells,
      table: Lut,
      masked: string,
      rows: ReadonlySet<number> | null,
    ): { ceiling: number; rows: ReadonlySet<number> | null } {
      const fresh = !image || image.width !== nK || image.height !== nQ;
      if (!image || fresh) {
        canvas.width = nK;
        canvas.height = nQ;
        image = context.createImageData(nK, nQ);
        tops = new Float32Array(nQ);
      }
      const every = Array.from({ length: nQ }, (_, q) => q);
      const changed = rows === null || fresh ? null : rows;
      for (const q of changed ?? every) {
        const [from, to] = [q * nK, (q + 1) * nK];
        const row = data.subarray(from, to);
        tops[q] = signed ? largestSize(row, blank.subarray(from, to)) : largest(row);
      }
      const before = ceiling;
      ceiling = scale === "map" || scale === "sqrt" ? largest(tops) : 1;
      const some = ceiling === before ? changed : null;
      const [mr, mg, mb] = parseColor(masked);
      let first = nQ;
      let last = -1;
      for (const q of some ?? every) {
        const at = q * nK;
        const top = scale === "row" ? tops[q] : ceiling;
        for (let k = 0; k < nK; k++) {
          const p = (at + k) * 4;
          if (blank[at + k]) {
            image.data[p] = mr;
            image.data[p + 1] = mg;
            image.data[p + 2] = mb;
          } else {
            const c = lutIndex(shareOf(data[at + k], top, scale, signed)) * 3;
            image.data[p] = table[c];
            image.data[p + 1] = table[c + 1];
            image.data[p + 2] = table[c + 2];
          }
          image.data[p + 3] = 255;
        }
        first = Math.min(first, q);
        last = Math.max(last, q);
      }
      if (last >= 0) context.putImageData(image, 0, 0, 0, first, nK, last - first + 1);
      return { ceiling, rows: some };
    },
    /** Whether dark text reads better on this cell. */
    inkDark(cell: number): boolean {
      const d = (image as ImageData).data;
      return isLight(d[cell * 4], d[cell * 4 + 1], d[cell * 4 + 2]);
    },
  };
}

export type Image = ReturnType<typeof createImage>;
