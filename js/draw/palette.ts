/** The colours and the font that the stylesheet gives the card. */

const NAMES = ["bg", "fg", "muted", "line", "masked", "hatch", "accent", "font"] as const;

export type Palette = Record<(typeof NAMES)[number], string>;

export function palette(el: Element): Palette {
  const style = getComputedStyle(el);
  const read = (name: string) => [name, style.getPropertyValue(`--aw-${name}`).trim()];
  return Object.fromEntries(NAMES.map(read)) as Palette;
}
