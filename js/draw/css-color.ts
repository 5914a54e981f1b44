/** Any colour of CSS as red, green and blue from 0 to 255, and alpha from 0 to 1. */
import { contextOf } from "./canvas-view";

export type Rgba = readonly [red: number, green: number, blue: number, alpha: number];

/**
 * Browsers write the colour of an element as `rgb(…)`, or as `color(srgb …)` with numbers from 0 to 1 where the
 * page mixes colours; null for every other notation.
 */
export function parseRgba(text: string): Rgba | null {
  const parts = /^\s*(rgba?\(|color\(srgb )\s*([^()]*)\)\s*$/.exec(text);
  if (!parts) return null;
  const one = parts[1] === "color(srgb " ? 1 : 255;
  const [red, green, blue, alpha] = parts[2].split(/[\s,/]+/).filter(Boolean).map((part, i) => {
    const whole = i < 3 ? one : 1;
    return part === "none" ? 0 : part.endsWith("%") ? (parseFloat(part) / 100) * whole : Number(part);
  }); // biome-ignore format: short
  if (![red, green, blue].every(Number.isFinite)) return null;
  const channel = (value: number) => Math.round((value / one) * 255);
  return [channel(red), channel(green), channel(blue), alpha ?? 1];
}

/** Null for no text. A text that is no colour is transparent black. */
export function rgbaOf(text: string): Rgba | null {
  return text ? (parseRgba(text) ?? paintedColor(text)) : null;
}

/** The browser converts the other notations, such as `oklch(…)`, when it paints a pixel. */
function paintedColor(text: string): Rgba | null {
  const context = contextOf(document.createElement("canvas"));
  context.fillStyle = "transparent"; // a text that is no colour changes nothing
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1)?.data ?? [];
  return red === undefined ? null : [red, green, blue, alpha / 255];
}
