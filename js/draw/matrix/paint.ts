/** One matrix's pixels: cells, numbers, labels, and what was set by hand. */

import { shorten, visible } from "../../explain/tokens";
import { isLight, type Lut, lutIndex, parseColor } from "../color";
import type { Palette } from "../palette";
import type { Block } from "./block";

export interface Look {
  /** Where a value lies in the table, 0..1; null for a masked cell. */
  share(row: number, col: number): number | null;
  value(row: number, col: number): number;
  table: Lut;
  /** The largest size of a value, and whether one is negative: how many digits fit. */
  largest: number;
  signed: boolean;
  marked(row: number, col: number): boolean;
  /** A mask has no numbers. */
  plain?: boolean;
  /** Two decimals or no numbers: one would make most of them 0. */
  exact?: boolean;
  queries: readonly string[];
  keys: readonly string[];
}

const FONTS = [11.5, 10.5, 9.5, 9];

/** A pixel a cell, kept from paint to paint. */
export interface Scratch {
  canvas: HTMLCanvasElement;
  image: ImageData | null;
}

export function paintBlock(
  ctx: CanvasRenderingContext2D,
  block: Block,
  look: Look,
  colors: Palette,
  offset: number,
  scratch: Scratch,
): void {
  const { rows, cols, cw, ch, left } = block;
  const top = block.top - offset;
  ctx.clearRect(0, 0, block.width + 2, block.height + 2);
  const font = numbersFit(ctx, block, look, colors);
  const pixels = cw < 10 || ch < 9;
  if (pixels) paintImage(ctx, block, look, colors, top, scratch);
  for (let r = 0; r < rows && !pixels; r++) {
    for (let c = 0; c < cols; c++) {
      const [x, y] = [left + c * cw, top + r * ch];
      const share = look.share(r, c);
      if (share === null) {
        paintMasked(ctx, colors, x, y, cw, ch);
        if (look.plain && font) say(ctx, colors, font.size, "−∞", x, y, cw, ch);
        else if (font && Number.isNaN(look.value(r, c)))
          say(ctx, colors, font.size, "NaN", x, y, cw, ch);
      } else {
        const at = lutIndex(share) * 3;
        const [red = 0, green = 0, blue = 0] = look.table.subarray(at, at + 3);
        ctx.fillStyle = `rgb(${red} ${green} ${blue})`;
        ctx.fillRect(x, y, cw - 1, ch - 1);
        if (font) {
          ctx.fillStyle = isLight(red, green, blue) ? "#101014" : "#ffffff";
          ctx.font = `${font.size}px ${colors.font}`;
          ctx.textAlign = "center";
          ctx.textBaseline = "middle";
          const text = look.plain ? "0" : rounded(look.value(r, c), font.digits);
          ctx.fillText(text, x + (cw - 1) / 2, y + ch / 2);
        }
      }
      if (look.marked(r, c)) paintCorner(ctx, colors, x, y, cw, ch);
    }
  }
  paintLabels(ctx, block, look, colors, top);
}

/** Without the sign of what rounds to nothing. */
function rounded(value: number, digits: number): string {
  const said = value.toFixed(digits);
  return (Number(said) === 0 ? said.replace("-", "") : said).replace("-", "−");
}

/** A word on a hatched cell, on a plate so that it can be read. */
function say(
  ctx: CanvasRenderingContext2D,
  colors: Palette,
  size: number,
  word: string,
  x: number,
  y: number,
  cw: number,
  ch: number,
): void {
  ctx.font = `${size}px ${colors.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const width = ctx.measureText(word).width + 4;
  ctx.fillStyle = colors.masked;
  ctx.fillRect(x + (cw - 1 - width) / 2, y + 2, width, ch - 5);
  ctx.fillStyle = colors.fg;
  ctx.fillText(word, x + (cw - 1) / 2, y + ch / 2);
}

/** The largest print in which every number fits its cell: two decimals, one, or none. */
function numbersFit(
  ctx: CanvasRenderingContext2D,
  { cw, ch }: Block,
  look: Look,
  colors: Palette,
): { size: number; digits: number } | null {
  if (ch < 13) return null;
  const sign = look.signed ? "−" : "";
  for (const digits of look.exact ? [2] : [2, 1]) {
    const widest = look.plain ? "−∞" : sign + look.largest.toFixed(digits).replace(/\d/g, "0");
    for (const size of FONTS) {
      ctx.font = `${size}px ${colors.font}`;
      if (ctx.measureText(widest).width <= cw - 2) return { size, digits };
    }
  }
  return null;
}

/** Cells too small to be drawn one by one: an image of a pixel each, enlarged. */
function paintImage(
  ctx: CanvasRenderingContext2D,
  { rows, cols, cw, ch, left }: Block,
  look: Look,
  colors: Palette,
  top: number,
  scratch: Scratch,
): void {
  const small = scratch.canvas;
  const context = small.getContext("2d") as CanvasRenderingContext2D;
  if (!scratch.image || small.width !== cols || small.height !== rows) {
    small.width = cols;
    small.height = rows;
    scratch.image = context.createImageData(cols, rows);
  }
  const { image } = scratch;
  // A mask of many tokens has nothing but this shade to tell masked from open.
  const grey = parseColor(look.plain ? colors.hatch : colors.masked);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const p = (r * cols + c) * 4;
      const share = look.share(r, c);
      const at = share === null ? 0 : lutIndex(share) * 3;
      for (let i = 0; i < 3; i++) {
        image.data[p + i] = share === null ? grey[i] : look.table[at + i];
      }
      image.data[p + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, left, top, cols * cw, rows * ch);
}

function paintMasked(
  ctx: CanvasRenderingContext2D,
  colors: Palette,
  x: number,
  y: number,
  cw: number,
  ch: number,
): void {
  ctx.fillStyle = colors.masked;
  ctx.fillRect(x, y, cw - 1, ch - 1);
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, cw - 1, ch - 1);
  ctx.clip();
  ctx.strokeStyle = colors.hatch;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let d = -ch; d < cw; d += 6) {
    ctx.moveTo(x + d, y + ch);
    ctx.lineTo(x + d + ch, y);
  }
  ctx.stroke();
  ctx.restore();
}

function paintCorner(
  ctx: CanvasRenderingContext2D,
  colors: Palette,
  x: number,
  y: number,
  cw: number,
  ch: number,
): void {
  const size = Math.min(7, cw / 2.5, ch / 2.5);
  const right = x + cw - 1;
  ctx.beginPath();
  ctx.moveTo(right - size - 1.5, y);
  ctx.lineTo(right, y);
  ctx.lineTo(right, y + size + 1.5);
  ctx.closePath();
  ctx.fillStyle = colors.bg;
  ctx.fill();
  ctx.beginPath();
  ctx.moveTo(right - size, y);
  ctx.lineTo(right, y);
  ctx.lineTo(right, y + size);
  ctx.closePath();
  ctx.fillStyle = colors.accent;
  ctx.fill();
}

function paintLabels(
  ctx: CanvasRenderingContext2D,
  block: Block,
  look: Look,
  colors: Palette,
  top: number,
): void {
  const { rows, cols, cw, ch, left } = block;
  ctx.fillStyle = colors.muted;
  ctx.font = `${LABEL}px ${colors.font}`;
  const measure = (text: string) => ctx.measureText(text).width;
  if (block.rowLabels && left) {
    const tokens = look[block.rowLabels];
    const step = Math.max(1, Math.ceil(12 / ch));
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (let r = 0; r < rows; r += step) {
      const label = shorten(visible(tokens[r]), left - 5, measure);
      ctx.fillText(label, left - 5, top + (r + 0.5) * ch);
    }
  }
  if (!block.colLabels || top < 12) return;
  const tokens = look[block.colLabels];
  for (let c = 0; c < cols; c++) {
    const x = left + (c + 0.5) * cw;
    ctx.save();
    ctx.translate(x, top - (block.labelGap ?? 4));
    if (block.upright) {
      ctx.rotate(-Math.PI / 2);
      ctx.textAlign = "left";
      ctx.textBaseline = "middle";
      ctx.fillText(shorten(visible(tokens[c]), top - 5, measure), 0, 0);
    } else {
      ctx.textAlign = "center";
      ctx.textBaseline = "alphabetic";
      ctx.fillText(visible(tokens[c]), 0, 0);
    }
    ctx.restore();
  }
}

export const LABEL = 11.5;
