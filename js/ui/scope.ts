/** Listeners, frames, timers and observers that end with a view. The card shows the errors that they throw. */

type Events = HTMLElementEventMap & WindowEventMap;

export interface Scope {
  readonly signal: AbortSignal;
  /** Call `act` now, and show the error if `act` throws or its promise is rejected. */
  guard(act: () => unknown): void;
  /** Return a guarded `act`, for the listeners of elements that are removed before the view ends. */
  guarded<Args extends unknown[]>(act: (...args: Args) => unknown): (...args: Args) => void;
  listen<K extends keyof Events>(
    target: EventTarget,
    kind: K,
    handler: (event: Events[K]) => unknown,
    options?: AddEventListenerOptions,
  ): void;
  /** Return a function that requests `paint` for the next frame; several calls paint once. */
  frame(paint: () => void): () => void;
  /** Call `act` after this time; the returned function cancels the call. */
  after(milliseconds: number, act: () => void): () => void;
  onResize(elements: readonly Element[], changed: () => void): void;
  /** Return a scope that ends with `end`, or with this scope if this scope ends earlier. */
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
      let request = 0;
      signal.addEventListener("abort", () => cancelAnimationFrame(request));
      const run = () => {
        request = 0;
        guard(paint);
      };
      return () => {
        if (!request && !signal.aborted) request = requestAnimationFrame(run);
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
