/** Touch on the map: a tap reads a cell, a second tap masks it; a finger that moves scrolls, one that stays paints. */
import type { Scope } from "../../ui/scope";
import type { Hit } from "./geometry";

type Target = NonNullable<Hit>;

/** How long a finger has to stay before it paints, in milliseconds. */
const LONG = 300;
/** How far a finger may move while it stays, in pixels. */
const STILL = 10;

export interface TouchActions {
  read(target: Target): void;
  /** The second tap on what was read. */
  act(target: Target): void;
  /** A finger has stayed: its moves paint until it is lifted. */
  paint(target: Target, pointer: number): void;
}

export function listenToTouch(surface: HTMLElement, actions: TouchActions, scope: Scope) {
  const { listen, after } = scope;
  let finger: { x: number; y: number; target: Target; forget(): void } | null = null;
  let isPainting = false;
  /** What the last tap has read. */
  let read = "";

  function lift() {
    finger?.forget();
    finger = null;
    isPainting = false;
  }
  listen(surface, "pointermove", ({ pointerType, clientX, clientY }) => {
    if (pointerType !== "touch" || !finger) return;
    if (Math.hypot(clientX - finger.x, clientY - finger.y) > STILL) lift();
  });
  listen(surface, "pointerup", () => {
    const target = finger?.target;
    lift();
    if (!target) return;
    const key = JSON.stringify(target);
    if (key === read) actions.act(target);
    else actions.read(target);
    read = key;
  });
  listen(surface, "pointercancel", lift);
  // The page scrolls with the finger unless the finger paints.
  listen(surface, "touchmove", (event) => isPainting && event.preventDefault(), { passive: false });
  listen(surface, "contextmenu", (event) => isPainting && event.preventDefault());

  return {
    down({ pointerId, clientX, clientY }: PointerEvent, target: Target) {
      lift();
      const forget = after(LONG, () => {
        finger = null;
        isPainting = true;
        read = "";
        actions.paint(target, pointerId);
      });
      finger = { x: clientX, y: clientY, target, forget };
    },
    /** A mouse has done something: the next tap reads. */
    forget() {
      read = "";
    },
  };
}
