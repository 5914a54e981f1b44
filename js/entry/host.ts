/** Dark or light, as the host has it: JupyterLab, VS Code, Colab, marimo, or a plain page. */

import { forgetPalettes, read as readPalette } from "../draw/palette";
import type { Theme } from "../draw/theme";
import type { Scope } from "../ui/scope";

/** What the host says of itself, in the order in which it is believed. */
export interface HostSigns {
  jupyterThemeLight?: string | undefined;
  bodyClass: string;
  rootTheme: string;
  background?: readonly [number, number, number] | undefined;
  prefersDark: boolean;
}

export function decideDark(signs: HostSigns): boolean {
  if (signs.jupyterThemeLight) return signs.jupyterThemeLight === "false";
  if (/\bvscode-(dark|high-contrast)\b(?!-light)/.test(signs.bodyClass)) return true;
  if (/\bvscode-(light|high-contrast-light)\b/.test(signs.bodyClass)) return false;
  if (/\bdark(-theme)?\b/.test(signs.rootTheme)) return true;
  if (/\blight(-theme)?\b/.test(signs.rootTheme)) return false;
  if (signs.background) {
    const [r, g, b] = signs.background;
    return 0.299 * r + 0.587 * g + 0.114 * b < 128;
  }
  return signs.prefersDark;
}

/** The nearest background that is not see-through, through shadow roots. */
function backgroundOf(el: Element): [number, number, number] | undefined {
  let node: Element | null = el.parentElement ?? hostOf(el);
  while (node) {
    const [r, g, b, a = 1] = (getComputedStyle(node).backgroundColor.match(/[\d.]+/g) ?? []).map(
      Number,
    );
    if (r !== undefined && g !== undefined && b !== undefined && a > 0.5) return [r, g, b];
    node = node.parentElement ?? hostOf(node);
  }
  return undefined;
}

function hostOf(node: Node): Element | null {
  const root = node.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

export function createTheme(el: Element, { signal, guard, guarded, listen }: Scope): Theme {
  const { documentElement: html, body } = el.ownerDocument;
  const media = matchMedia("(prefers-color-scheme: dark)");
  const listeners = new Set<() => void>();
  const read = () =>
    decideDark({
      jupyterThemeLight: body.dataset.jpThemeLight,
      bodyClass: body.className,
      rootTheme: [html.className, html.getAttribute("theme"), html.dataset.theme].join(" "),
      background: backgroundOf(el),
      prefersDark: media.matches,
    });
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
      attributeFilter: ["class", "style", "theme", "data-theme", "data-jp-theme-light"],
    });
  }
  listen(media, "change", update);
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
