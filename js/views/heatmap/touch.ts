/**
 * Touch on the map: a tap reads a cell, a second tap masks the cell. A finger that moves scrolls the page.
 * A finger that rests pins the cell; when the finger then moves, it paints.
 */
import type { Scope } from "../../ui/scope";
import type { Hit } from "./geometry";

type Target = NonNullable<Hit>;

/** How long a finger has to rest before it pins or paints, in milliseconds. */
const LONG = 300;
/** How far a finger may move while it rests, in pixels. */
const STILL = 10;

export interface TouchActions {
  read(target: Target): void;
  /** The second tap on a cell or label that was read. */
  act(target: Target): void;
  /** A finger rests. */
  hold(target: Target): void;
  /** A finger has rested and moves: the moves paint until the finger is lifted. */
  paint(target: Target, pointer: number): void;
}

interface Finger {
  x: number;
  y: number;
  target: Target;
  pointer: number;
  isResting: boolean;
  stopTimer(): void;
}

export function listenToTouch(surface: HTMLElement, actions: TouchActions, scope: Scope) {
  const { listen, after } = scope;
  let finger: Finger | null = null;
  /** Whether the finger has rested: its moves do not scroll the page. */
  let isHeld = false;
  /** The target that the last tap has read. */
  let read = "";

  function lift() {
    finger?.stopTimer();
    finger = null;
    isHeld = false;
  }
  listen(surface, "pointermove", ({ pointerType, clientX, clientY }) => {
    if (pointerType !== "touch" || !finger) return;
    if (Math.hypot(clientX - finger.x, clientY - finger.y) <= STILL) return;
    const { isResting, target, pointer } = finger;
    if (!isResting) return lift();
    finger = null;
    actions.paint(target, pointer);
  });
  listen(surface, "pointerup", () => {
    const tapped = finger?.isResting ? null : finger?.target;
    lift();
    if (!tapped) return;
    const key = JSON.stringify(tapped);
    if (key === read) actions.act(tapped);
    else actions.read(tapped);
    read = key;
  });
  listen(surface, "pointercancel", lift);
  // The page scrolls with the finger unless the finger has rested.
  listen(surface, "touchmove", (event) => isHeld && event.preventDefault(), { passive: false });

  return {
    down({ pointerId, clientX, clientY }: PointerEvent, target: Target) {
      lift();
      const stopTimer = after(LONG, () => {
        if (finger) finger.isResting = true;
        isHeld = true;
        read = "";
        actions.hold(target);
      });
      finger = {
        ...{ x: clientX, y: clientY, target, pointer: pointerId },
        ...{ isResting: false, stopTimer },
      };
    },
    /** A mouse has done something: the next tap reads. */
    forget() {
      read = "";
    },
  };
}
