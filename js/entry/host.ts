/** Dark or light, as the host has it: JupyterLab, VS Code, Colab, marimo, or a plain page. */

import { rgbaOf } from "../draw/css-color";
import { colorOn, forcesColors, forgetPalettes, read as readPalette } from "../draw/palette";
import type { Theme } from "../draw/theme";
import type { Scope } from "../ui/scope";

/** What the host says of itself, in the order in which it is believed. */
export interface HostSigns {
  /** The background in forced colours, which the user has chosen for every page. */
  forced?: Rgb | undefined;
  jupyterThemeLight?: string | undefined;
  bodyClass: string;
  /** The classes and themes of the document and of its body. */
  rootTheme: string;
  /** Colab names its dark theme only. */
  isColab?: boolean;
  background?: Rgb | undefined;
  prefersDark: boolean;
}

type Rgb = readonly [red: number, green: number, blue: number, ...rest: number[]];

/** The attributes by which Colab, marimo, GitHub, Bootstrap and others name their theme. */
const THEMES = ["theme", "data-theme", "data-color-mode", "data-bs-theme"];

export function decideDark(signs: HostSigns): boolean {
  if (signs.forced) return isDark(signs.forced);
  if (signs.jupyterThemeLight) return signs.jupyterThemeLight === "false";
  if (/\bvscode-(dark|high-contrast)\b(?!-light)/.test(signs.bodyClass)) return true;
  if (/\bvscode-(light|high-contrast-light)\b/.test(signs.bodyClass)) return false;
  const words = signs.rootTheme.split(/\s+/);
  const isNamed = (name: string) =>
    [name, `${name}-theme`, `${name}-mode`, `theme-${name}`].some((word) => words.includes(word));
  if (isNamed("dark")) return true;
  if (isNamed("light") || signs.isColab) return false;
  return signs.background ? isDark(signs.background) : signs.prefersDark;
}

const isDark = ([red, green, blue]: Rgb) => 0.299 * red + 0.587 * green + 0.114 * blue < 128;

/** The nearest background that is not see-through, through shadow roots. */
function backgroundOf(el: Element): Rgb | undefined {
  for (let node = parentOf(el); node; node = parentOf(node)) {
    const color = rgbaOf(getComputedStyle(node).backgroundColor);
    if (color && color[3] > 0.5) return color;
  }
  return undefined;
}

const parentOf = (node: Element) => node.parentElement ?? hostOf(node);

function hostOf(node: Node): Element | null {
  const root = node.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

export function createTheme(el: HTMLElement, { signal, guard, guarded, listen }: Scope): Theme {
  const { documentElement: html, body } = el.ownerDocument;
  const media = matchMedia("(prefers-color-scheme: dark)");
  const forced = forcesColors();
  const listeners = new Set<() => void>();
  const read = () => {
    el.dataset.host = "jpThemeLight" in body.dataset ? "jupyter" : "";
    return decideDark({
      forced: (forced.matches && rgbaOf(colorOn(el, "Canvas"))) || undefined,
      jupyterThemeLight: body.dataset.jpThemeLight,
      bodyClass: body.className,
      rootTheme: [html, body]
        .flatMap((node) => [node.className, ...THEMES.map((name) => node.getAttribute(name))])
        .join(" "),
      isColab: Boolean((globalThis as { google?: { colab?: unknown } }).google?.colab),
      background: backgroundOf(el),
      prefersDark: media.matches,
    });
  };
  let dark = read();
  let colors = readPalette(el);
  const update = () => {
    forgetPalettes();
    const now = read();
    const nowColors = readPalette(el);
    if (now === dark && JSON.stringify(nowColors) === JSON.stringify(colors)) return;
    dark = now;
    colors = nowColors;
    for (const listener of [...listeners]) guard(listener);
  };
  const observer = new MutationObserver(guarded(update));
  for (const node of [html, body]) {
    observer.observe(node, {
      attributeFilter: ["class", "style", "data-jp-theme-light", ...THEMES],
    });
  }
  for (const query of [media, forced]) listen(query, "change", update);
  // JupyterLab swaps the stylesheet after the attribute: the colours are right once it has loaded.
  listen(el.ownerDocument, "load", update, { capture: true });
  signal.addEventListener("abort", () => observer.disconnect());
  return {
    get dark() {
      return dark;
    },
    subscribe(listener, until) {
      listeners.add(listener);
      until.addEventListener("abort", () => listeners.delete(listener));
    },
  };
}
