/** Another screen, or a zoomed page: the canvas must be as sharp as the new pixels are. */
export function watchDensity(changed: () => void, signal: AbortSignal): void {
  const watch = () => {
    const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    query.addEventListener(
      "change",
      () => {
        changed();
        watch();
      },
      { once: true, signal },
    );
  };
  watch();
}
