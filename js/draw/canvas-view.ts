/** The frame that every view on canvas is drawn in: size, pixel density, theme, and painting when something is dirty. */
import type { Scope } from "../ui/scope";
import { type Palette, palette } from "./palette";
import type { Theme } from "./theme";

export interface Painter {
  /** Lay everything out in `width` CSS pixels. False where there is nothing to lay out yet. */
  arrange(width: number): boolean;
  paint(colors: Palette): void;
  /** The theme is another: tables of colours that depend on it are made again. */
  themed?(): void;
}

export interface CanvasView {
  /** Ask for a picture in the next frame. */
  request(): void;
  /** Ask for another layout and a picture in the next frame. */
  relayout(): void;
  /** Draw without waiting for a frame: a card that says it is ready, or was asked for another order, shows it. */
  open(): void;
}

export function createCanvasView(
  host: HTMLElement,
  painter: Painter,
  scope: Scope & { theme: Theme },
): CanvasView {
  let mustArrange = true;
  let isArranged = false;
  let width = 0;

  function draw() {
    // Out of sight there is no room: the last picture stays until there is.
    if (mustArrange && host.clientWidth > 0) {
      width = host.clientWidth;
      mustArrange = !painter.arrange(width);
      isArranged ||= !mustArrange;
    }
    if (!isArranged) return;
    const colors = palette(host);
    painter.paint(colors);
    // The stylesheet may come a moment after the card.
    if (!colors.font && host.isConnected) relayout();
  }

  const request = scope.frame(draw);
  const relayout = () => {
    mustArrange = true;
    request();
  };
  scope.onResize([host], () => {
    if (host.clientWidth !== width || mustArrange) relayout();
  });
  watchDensity(relayout, scope);
  scope.theme.subscribe(() => {
    painter.themed?.();
    request();
  }, scope.signal);
  return { request, relayout, open: draw };
}

/** Give a canvas a size in CSS pixels, and as many pixels as the screen has there: none of the picture is cut off. */
export function resizeCanvas(canvas: HTMLCanvasElement, width: number, height: number): void {
  const density = devicePixelRatio || 1;
  canvas.width = Math.ceil(width * density);
  canvas.height = Math.ceil(height * density);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  contextOf(canvas).setTransform(density, 0, 0, density, 0, 0);
}

export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  return canvas.getContext("2d") as CanvasRenderingContext2D;
}

/** Another screen, or a zoomed page, has other pixels. */
function watchDensity(changed: () => void, { listen }: Scope): void {
  const watch = () => {
    const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    const again = () => {
      changed();
      watch();
    };
    listen(query, "change", again, { once: true });
  };
  watch();
}
