/** Colour maps as tables of 256 colours, and the ticks of a colour bar. */
import { RAMPS } from "./ramps";

export type Cmap = keyof typeof RAMPS;

/** A table of 256 colours, three numbers each: red, green, blue. */
export type Lut = Uint8ClampedArray;

export function parseColor(text: string): [number, number, number] {
  const hex = /^#([0-9a-f]{6})$/i.exec(text);
  if (hex) {
    const n = Number.parseInt(hex[1], 16);
    return [n >> 16, (n >> 8) & 255, n & 255];
  }
  const [r = 0, g = 0, b = 0] = (text.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);
  return [r, g, b];
}

export function lut(name: string): Lut {
  return table(RAMPS[name as Cmap] ?? RAMPS.viridis);
}

// Blue below 0, red above, the background of the card at 0: ColorBrewer's RdBu, which colour-blind readers can use.
const SIGNED = {
  light: "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f",
  dark: "9ecbff 6aa9ee 4385cf 2d629f 26446a 26272d 5e2f35 8f3b3f c1544f e58271 ffb9a6",
};

/** Colours for values from -1 to 1, with a neutral colour at 0. */
export function signedLut(dark: boolean): Lut {
  return table(SIGNED[dark ? "dark" : "light"].replaceAll(" ", ""));
}

/** A table of 256 colours between evenly spaced stops, which are given as six hex digits each. */
function table(stops: string): Lut {
  const last = stops.length / 6 - 1;
  const channel = (stop: number, c: number) =>
    Number.parseInt(stops.slice(stop * 6 + c * 2, stop * 6 + c * 2 + 2), 16);
  const colors = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * last;
    const stop = Math.min(last - 1, Math.floor(at));
    for (let c = 0; c < 3; c++) {
      const from = channel(stop, c);
      colors[i * 3 + c] = from + (channel(stop + 1, c) - from) * (at - stop);
    }
  }
  return colors;
}

/** The index in a table of a share from 0 to 1. */
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

/** Ticks from 0 to `max` at round steps, with enough decimals to tell them apart. */
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
