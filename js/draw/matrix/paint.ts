/** The pixels of a matrix: cells, numbers, labels, and marks on the numbers that were set by hand. */

import { differenceText, fixed } from "../../explain/numbers";
import { shorten, visible } from "../../explain/tokens";
import { contextOf } from "../canvas-view";
import { isLight, type Lut, lutIndex, parseColor } from "../color";
import { hatch, SMALLEST_HATCHED } from "../hatch";
import { fillLabel } from "../label";
import type { Palette } from "../palette";
import type { Block } from "./block";

export interface Look {
  /** The place of a value in the table of colours, 0..1; null for a masked cell and for a value that is not finite. */
  share(row: number, col: number): number | null;
  value(row: number, col: number): number;
  table: Lut;
  /** The largest absolute value, and whether a value is negative: they decide how many digits fit. */
  largest: number;
  signed: boolean;
  /** Whether the number was set by hand. */
  marked(row: number, col: number): boolean;
  /** Whether the matrix is a mask, whose cells show 0 and −∞. */
  plain?: boolean;
  /** Two decimals or no numbers, because most of the numbers are 0 at one decimal. */
  exact?: boolean;
  /** Whether the numbers are differences: they have a sign, and 0 is not written. */
  isDifference?: boolean;
  queries: readonly string[];
  keys: readonly string[];
  /** Every `keyStep`-th key has a label, because more labels would touch. */
  keyStep?: number;
}

type Context = CanvasRenderingContext2D;

export const LABEL = 11.5;
const FONTS = [11.5, 10.5, 9.5, 9];

/** A canvas with a pixel for each cell, kept between paints. */
export interface Scratch {
  canvas: HTMLCanvasElement;
  image: ImageData | null;
}

/** The size and the decimals of the numbers of a matrix. */
interface Print {
  size: number;
  digits: number;
}

/** A cell in CSS pixels. A pixel at the right and at the bottom stays free, as a line between cells. */
type Area = readonly [x: number, y: number, width: number, height: number];

export function paintBlock(
  ctx: Context,
  block: Block,
  look: Look,
  colors: Palette,
  offset: number,
  scratch: Scratch,
): void {
  const { cw, ch, left } = block;
  const [rows, cols] = [block.rowSlots.indices, block.colSlots.indices];
  const top = block.top - offset;
  ctx.clearRect(0, 0, block.width + 2, block.height + 2);
  if (cw < 10 || ch < 9) paintImage(ctx, block, look, colors, top, scratch);
  else {
    const print = largestPrint(ctx, block, look, colors);
    for (const [y, r] of rows.entries()) {
      for (const [x, c] of cols.entries()) {
        const area: Area = [left + x * cw, top + y * ch, cw, ch];
        if (r === null || c === null) {
          paintGap(ctx, area, c === null ? (r === null ? "⋱" : "⋯") : "⋮", colors);
          continue;
        }
        paintCell(ctx, area, look, colors, print, r, c);
        if (look.marked(r, c)) paintCorner(ctx, area, colors);
      }
    }
  }
  paintLabels(ctx, block, look, colors, top);
}

function paintCell(
  ctx: Context,
  area: Area,
  look: Look,
  colors: Palette,
  print: Print | null,
  r: number,
  c: number,
): void {
  const share = look.share(r, c);
  if (share === null) {
    paintMasked(ctx, area, colors);
    if (!print) return;
    const word = look.plain ? "−∞" : Number.isNaN(look.value(r, c)) ? "NaN" : "";
    if (word) paintText(ctx, area, word, print, colors, colors.fg, colors.masked);
    return;
  }
  const at = lutIndex(share) * 3;
  const [red, green, blue] = look.table.subarray(at, at + 3);
  const [x, y, width, height] = area;
  ctx.fillStyle = `rgb(${red} ${green} ${blue})`;
  ctx.fillRect(x, y, width - 1, height - 1);
  if (!print) return;
  const write = look.isDifference ? differenceText : fixed;
  const number = look.plain ? "0" : write(look.value(r, c), print.digits);
  const ink = isLight(red, green, blue) ? "#101014" : "#ffffff";
  paintText(ctx, area, number, print, colors, ink);
}

/** Dots in place of the cells that are left out. */
function paintGap(ctx: Context, [x, y, width, height]: Area, dots: string, colors: Palette): void {
  ctx.font = `${Math.min(13, width)}px ${colors.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colors.muted;
  ctx.fillText(dots, x + (width - 1) / 2, y + height / 2);
}

/** Text in the middle of a cell; `plate` is the colour of a plate that keeps the text legible on hatching. */
function paintText(
  ctx: Context,
  [x, y, width, height]: Area,
  text: string,
  { size }: Print,
  colors: Palette,
  ink: string,
  plate?: string,
): void {
  ctx.font = `${size}px ${colors.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const middle = x + (width - 1) / 2;
  if (plate) {
    const plateWidth = ctx.measureText(text).width + 4;
    ctx.fillStyle = plate;
    ctx.fillRect(middle - plateWidth / 2, y + 2, plateWidth, height - 5);
  }
  ctx.fillStyle = ink;
  ctx.fillText(text, middle, y + height / 2);
}

/** The most decimals, and then the largest font, with which every number fits its cell; null where none does. */
function largestPrint(ctx: Context, { cw, ch }: Block, look: Look, colors: Palette): Print | null {
  if (ch < 13) return null;
  const sign = look.signed ? "−" : "";
  for (const digits of look.exact ? [2] : [2, 1]) {
    const widest = look.plain ? "−∞" : sign + look.largest.toFixed(digits).replace(/\d/g, "0");
    for (const size of FONTS) {
      ctx.font = `${size}px ${colors.font}`;
      if (ctx.measureText(widest).width <= cw - 3) return { size, digits };
    }
  }
  return null;
}

/** Cells that are too small for a line between them: an image with a pixel for each cell, enlarged. */
function paintImage(
  ctx: Context,
  block: Block,
  look: Look,
  colors: Palette,
  top: number,
  scratch: Scratch,
): void {
  const { cw, ch, left } = block;
  const [rowIndices, colIndices] = [block.rowSlots.indices, block.colSlots.indices];
  const [rows, cols] = [rowIndices.length, colIndices.length];
  const small = scratch.canvas;
  const context = contextOf(small);
  if (!scratch.image || small.width !== cols || small.height !== rows) {
    small.width = cols;
    small.height = rows;
    scratch.image = context.createImageData(cols, rows);
  }
  const { image } = scratch;
  // In a mask of many tokens only this shade tells masked cells from open cells.
  const grey = parseColor(look.plain ? colors.hatch : colors.masked);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      const p = (y * cols + x) * 4;
      const [r, c] = [rowIndices[y], colIndices[x]];
      // A gap is transparent.
      image.data[p + 3] = r === null || c === null ? 0 : 255;
      if (r === null || c === null) continue;
      const share = look.share(r, c);
      const at = share === null ? 0 : lutIndex(share) * 3;
      for (let i = 0; i < 3; i++) {
        image.data[p + i] = share === null ? grey[i] : look.table[at + i];
      }
    }
  }
  context.putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, left, top, cols * cw, rows * ch);
  if (Math.min(cw, ch) < SMALLEST_HATCHED) return;
  const path = maskedCells(block, look, top);
  const area = { left, top, width: cols * cw, height: rows * ch };
  if (path) hatch(ctx, path, area, Math.min(cw, ch), look.plain ? colors.bg : colors.hatch);
}

/** The masked cells as a path, run by run; null where no cell is masked. */
function maskedCells(block: Block, look: Look, top: number): Path2D | null {
  const { cw, ch, left } = block;
  const [rows, cols] = [block.rowSlots.indices, block.colSlots.indices];
  const path = new Path2D();
  let isAny = false;
  for (const [y, r] of rows.entries()) {
    let start: number | null = null;
    for (let x = 0; x <= cols.length; x++) {
      const c = cols[x] ?? null;
      const isMasked = r !== null && c !== null && look.share(r, c) === null;
      if (isMasked) start ??= x;
      else if (start !== null) {
        path.rect(left + start * cw, top + y * ch, (x - start) * cw, ch);
        start = null;
        isAny = true;
      }
    }
  }
  return isAny ? path : null;
}

function paintMasked(ctx: Context, [x, y, width, height]: Area, colors: Palette): void {
  ctx.fillStyle = colors.masked;
  ctx.fillRect(x, y, width - 1, height - 1);
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width - 1, height - 1);
  ctx.clip();
  ctx.strokeStyle = colors.hatch;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let d = -height; d < width; d += 6) {
    ctx.moveTo(x + d, y + height);
    ctx.lineTo(x + d + height, y);
  }
  ctx.stroke();
  ctx.restore();
}

/** A triangle in the top right corner of a cell, with a border in the colour of the card. */
function paintCorner(ctx: Context, [x, y, width, height]: Area, colors: Palette): void {
  const side = Math.min(7, width / 2.5, height / 2.5);
  const right = x + width - 1;
  const triangle = (size: number, color: string) => {
    ctx.beginPath();
    ctx.moveTo(right - size, y);
    ctx.lineTo(right, y);
    ctx.lineTo(right, y + size);
    ctx.closePath();
    ctx.fillStyle = color;
    ctx.fill();
  };
  triangle(side + 1.5, colors.bg);
  triangle(side, colors.accent);
}

function paintLabels(ctx: Context, block: Block, look: Look, colors: Palette, top: number): void {
  const { cw, ch, left } = block;
  const [rows, cols] = [block.rowSlots.indices, block.colSlots.indices];
  ctx.fillStyle = colors.muted;
  ctx.font = `${LABEL}px ${colors.font}`;
  const measure = (text: string) => ctx.measureText(text).width;
  if (block.rowLabels && left) {
    const tokens = look[block.rowLabels];
    const step = Math.max(1, Math.ceil(12 / ch));
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (let y = 0; y < rows.length; y += step) {
      const r = rows[y];
      const label = r === null ? "⋮" : shorten(visible(tokens[r]), left - 5, measure);
      fillLabel(ctx, label, left - 5, top + (y + 0.5) * ch);
    }
  }
  if (!block.colLabels || top < 12) return;
  const tokens = look[block.colLabels];
  for (const [at, c] of cols.entries()) {
    if (c !== null && c % (look.keyStep ?? 1)) continue;
    const x = left + (at + 0.5) * cw;
    const token = c === null ? "⋯" : visible(tokens[c]);
    ctx.save();
    ctx.translate(x, top - (block.labelGap ?? 4));
    if (block.upright) ctx.rotate(-Math.PI / 2);
    ctx.textAlign = block.upright ? "left" : "center";
    ctx.textBaseline = block.upright ? "middle" : "alphabetic";
    fillLabel(ctx, block.upright ? shorten(token, top - 5, measure) : token, 0, 0);
    ctx.restore();
  }
}
