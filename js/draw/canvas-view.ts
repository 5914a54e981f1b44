/** The frame of every view on a canvas: follows size, pixel density and theme, and paints after a change. */
import type { Scope } from "../ui/scope";
import { type Palette, palette } from "./palette";
import type { Theme } from "./theme";

export interface Painter {
  /** Lay the picture out in `width` CSS pixels; false where the data has not arrived. */
  arrange(width: number): boolean;
  paint(colors: Palette): void;
  /** The theme has changed: make the colour tables that depend on it again. */
  themed?(): void;
}

export interface CanvasView {
  /** Ask for a picture in the next frame. */
  request(): void;
  /** Ask for another layout and a picture in the next frame. */
  relayout(): void;
  /** Draw now and not in the next frame, because a program reads the picture as soon as the card is ready. */
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
    // A hidden host has no width: keep the last picture until the host has room.
    if (mustArrange && host.clientWidth > 0) {
      width = host.clientWidth;
      mustArrange = !painter.arrange(width);
      isArranged ||= !mustArrange;
    }
    if (!isArranged) return;
    const colors = palette(host);
    painter.paint(colors);
    // The stylesheet may load after the card: paint again until the font is there.
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

/** Give a canvas a size in CSS pixels, and the number of device pixels there, rounded up so that nothing is cut off. */
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

/** Call `changed` when the pixel density changes: the window moves to another screen, or the page is zoomed. */
function watchDensity(changed: () => void, { listen }: Scope): void {
  const watch = () => {
    const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    const restart = () => {
      changed();
      watch();
    };
    listen(query, "change", restart, { once: true });
  };
  watch();
}
