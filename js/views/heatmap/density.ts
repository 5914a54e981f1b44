/** Another screen, or a zoomed page: the canvas must be as sharp as the new pixels are. */
import type { Scope } from "../../ui/scope";

export function watchDensity(changed: () => void, { listen }: Scope): void {
  const watch = () => {
    const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    listen(
      query,
      "change",
      () => {
        changed();
        watch();
      },
      { once: true },
    );
  };
  watch();
}
