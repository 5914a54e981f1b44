/** Colour maps as tables of 256 colours, and the numbers that go beside them. */
import {
  interpolateBlues,
  interpolateCividis,
  interpolateGreys,
  interpolateInferno,
  interpolateMagma,
  interpolatePlasma,
  interpolateTurbo,
  interpolateViridis,
} from "d3-scale-chromatic";

export const CMAPS = [
  "viridis",
  "magma",
  "inferno",
  "plasma",
  "cividis",
  "turbo",
  "greys",
  "blues",
] as const;
export type Cmap = (typeof CMAPS)[number];

const INTERPOLATE: Record<Cmap, (t: number) => string> = {
  viridis: interpolateViridis,
  magma: interpolateMagma,
  inferno: interpolateInferno,
  plasma: interpolatePlasma,
  cividis: interpolateCividis,
  turbo: interpolateTurbo,
  greys: interpolateGreys,
  blues: interpolateBlues,
};

/** 256 colours, red, green and blue one after the other. */
export type Lut = Uint8ClampedArray;

export function parseColor(text: string): [number, number, number] {
  const hex = /^#([0-9a-f]{6})$/i.exec(text);
  if (hex) {
    const n = Number.parseInt(hex[1] as string, 16);
    return [n >> 16, (n >> 8) & 255, n & 255];
  }
  const [r = 0, g = 0, b = 0] = (text.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);
  return [r, g, b];
}

export function lut(name: string): Lut {
  const known = (CMAPS as readonly string[]).includes(name);
  const interpolate = INTERPOLATE[known ? (name as Cmap) : "viridis"];
  const table = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) table.set(parseColor(interpolate(i / 255)), i * 3);
  return table;
}

/** Where a share of 0..1 lies in the table. */
export function lutIndex(share: number): number {
  return share <= 0 ? 0 : share >= 1 ? 255 : Math.round(share * 255);
}

export function cssColor(table: Lut, share: number): string {
  const i = lutIndex(share) * 3;
  return `rgb(${table[i]} ${table[i + 1]} ${table[i + 2]})`;
}

/** Whether dark ink reads better than light ink on this colour (WCAG relative luminance). */
export function isLight(r: number, g: number, b: number): boolean {
  const linear = (c: number) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  };
  // Contrast with black beats contrast with white above this luminance.
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.179;
}

/** Ticks from 0 to `max` at round steps, with the decimals that tell them apart. */
export function ticks(max: number): { value: number; text: string }[] {
  if (!(max > 0)) return [{ value: 0, text: "0" }];
  const rough = max / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= rough * 0.999) ?? rough;
  const digits = Math.min(
    6,
    Math.max(0, -Math.floor(Math.log10(step)) + (step / power === 2.5 ? 1 : 0)),
  );
  const list = [];
  for (let i = 0; i * step <= max * 1.0001; i++) {
    const text = (i * step).toFixed(digits);
    list.push({ value: i * step, text: text.includes(".") ? text.replace(/\.?0+$/, "") : text });
  }
  return list;
}
