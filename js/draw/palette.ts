/** The colours and the font that the stylesheet gives the card. */

const NAMES = ["bg", "fg", "muted", "line", "masked", "hatch", "accent", "font"] as const;

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

/** The colours of this moment. */
export function read(el: Element): Palette {
  const style = getComputedStyle(el);
  const pair = (name: string) => [name, style.getPropertyValue(`--aw-${name}`).trim()];
  return Object.fromEntries(NAMES.map(pair)) as Palette;
}

/** The theme may have changed: read the colours again. */
export function forgetPalettes(): void {
  known = new WeakMap();
}
