/** The colours and the font that the stylesheet gives the card. */

export interface Palette {
  bg: string;
  fg: string;
  muted: string;
  line: string;
  masked: string;
  hatch: string;
  accent: string;
  font: string;
}

export function palette(el: Element): Palette {
  const style = getComputedStyle(el);
  const read = (name: string) => style.getPropertyValue(`--aw-${name}`).trim();
  return {
    bg: read("bg"),
    fg: read("fg"),
    muted: read("muted"),
    line: read("line"),
    masked: read("masked"),
    hatch: read("hatch"),
    accent: read("accent"),
    font: read("font"),
  };
}
