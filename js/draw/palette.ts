/** The colours and the font that the stylesheet gives the card. */
import { h } from "../ui/dom";

const NAMES = [
  "bg",
  "fg",
  "muted",
  "line",
  "masked",
  "hatch",
  "accent",
  "warning",
  "font",
] as const;

export type Palette = Record<(typeof NAMES)[number], string>;

// The map holds its keys weakly, so an entry is freed with the element.
let known = new WeakMap<Element, Palette>();

/** Kept until the theme changes, because each reading makes the browser compute the styles anew. */
export function palette(el: Element): Palette {
  const colors = known.get(el) ?? read(el);
  // An element that is not in the page yet has no colours.
  if (colors.bg) known.set(el, colors);
  return colors;
}

/** Whether the user's own colours replace the colours of every page, as in the high contrast of Windows. */
export const forcesColors = () => matchMedia("(forced-colors: active)");

/** The colours of this moment. */
export function read(el: Element): Palette {
  const style = getComputedStyle(el);
  const resolve = forcesColors().matches ? (color: string) => colorOn(el, color) : undefined;
  const pair = (name: string) => {
    const value = style.getPropertyValue(`--aw-${name}`).trim();
    return [name, resolve && name !== "font" && value ? resolve(value) : value];
  };
  return Object.fromEntries(NAMES.map(pair)) as Palette;
}

/** What a colour of the system, such as `CanvasText`, is on this element: a canvas needs its numbers. */
export function colorOn(el: Element, color: string): string {
  const probe = h("i", { hidden: true });
  probe.style.cssText = `color: ${color}; forced-color-adjust: none`;
  el.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** The theme may have changed: read the colours again. */
export function forgetPalettes(): void {
  known = new WeakMap();
}
