/** What ends with a view: its listeners, frames, timers and observers. What they throw shows in the card. */

type Events = HTMLElementEventMap & WindowEventMap;

export interface Scope {
  readonly signal: AbortSignal;
  /** Act now, and show what is thrown, also by a promise. */
  guard(act: () => unknown): void;
  /** The same function, guarded: for elements that are gone before the view is. */
  guarded<Args extends unknown[]>(act: (...args: Args) => unknown): (...args: Args) => void;
  listen<K extends keyof Events>(
    target: EventTarget,
    kind: K,
    handler: (event: Events[K]) => unknown,
    options?: AddEventListenerOptions,
  ): void;
  /** A function that asks for `paint` in the next frame, once however often it is called. */
  frame(paint: () => void): () => void;
  /** Call back in so many milliseconds; the function that is returned takes that back. */
  after(milliseconds: number, act: () => void): () => void;
  onResize(elements: readonly Element[], changed: () => void): void;
  /** The same until `end`, if that is earlier. */
  until(end: AbortSignal): Scope;
}

export function createScope(signal: AbortSignal, fail: (error: unknown) => void): Scope {
  const guard = (act: () => unknown) => {
    try {
      const result = act();
      if (result instanceof Promise) result.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
  const guarded: Scope["guarded"] =
    (act) =>
    (...args) =>
      guard(() => act(...args));
  return {
    signal,
    guard,
    guarded,
    listen(target, kind, handler, options = {}) {
      const listener = (event: Event) => guard(() => handler(event as never));
      target.addEventListener(kind, listener, { ...options, signal });
    },
    frame(paint) {
      let asked = 0;
      signal.addEventListener("abort", () => cancelAnimationFrame(asked));
      const run = () => {
        asked = 0;
        guard(paint);
      };
      return () => {
        if (!asked && !signal.aborted) asked = requestAnimationFrame(run);
      };
    },
    after(milliseconds, act) {
      const timer = setTimeout(() => guard(act), milliseconds);
      const cancel = () => clearTimeout(timer);
      signal.addEventListener("abort", cancel);
      return () => {
        cancel();
        signal.removeEventListener("abort", cancel);
      };
    },
    onResize(elements, changed) {
      const observer = new ResizeObserver(() => guard(changed));
      for (const element of elements) observer.observe(element);
      signal.addEventListener("abort", () => observer.disconnect());
    },
    until: (end) => createScope(AbortSignal.any([signal, end]), fail),
  };
}
