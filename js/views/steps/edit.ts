/** Edits of numbers by hand: by dragging, typing, or arrow keys. */
import type { Place } from "../../draw/matrix/gestures";
import type { MatrixView } from "../../draw/matrix/matrix";
import type { MatrixName } from "../../explain/explain";
import type { Store } from "../../state/store";
import type { Editable } from "../../wire/schema";
import { placeOf } from "./words";

/** Read a typed number with a point or a comma, and with any minus sign; null where the text is not a number. */
export function parse(typed: string): number | null {
  const text = typed.trim().replace("−", "-").replace(",", ".");
  const value = Number(text);
  return text !== "" && Number.isFinite(value) ? value : null;
}

const rounded = (value: number, step: number) =>
  Number((Math.round(value / step) * step).toFixed(6));

export function editNumber(store: Store, view: (name: MatrixName) => MatrixView) {
  let start: { key: string; value: number } | null = null;
  /** The matrix of the last box, and the head and the size that it had. */
  let typed: { name: Editable; of: string } | null = null;

  const headOf = (name: Editable) => {
    const { layer, head, stack } = store.shown;
    const m = store.matrix(name);
    return [layer, head, stack, m?.rows, m?.cols].join();
  };

  const valueAt = (name: Editable, [row, col]: Place) => {
    const m = store.matrix(name);
    return m?.data[row * m.cols + col] as number;
  };

  return {
    /** Whether the box that was opened last is over a number of another head or of another size. */
    get isBoxGone() {
      return typed !== null && headOf(typed.name) !== typed.of;
    },
    /** A pixel changes the number by 0.01; with Shift by 0.1, with Alt by 0.001. */
    drag(name: Editable, place: Place, by: number, event: PointerEvent) {
      const key = `${name},${place},${event.pointerId}`;
      if (start?.key !== key || !store.drafting) start = { key, value: valueAt(name, place) };
      const step = event.shiftKey ? 0.1 : event.altKey ? 0.001 : 0.01;
      store.draft(name, place[0], place[1], rounded(start.value + by * step, step));
    },
    type(name: Editable, place: Place, firstText: string) {
      const before = valueAt(name, place);
      const [row, col] = place;
      typed = { name, of: headOf(name) };
      const label = placeOf({ name, row, col });
      view(name).edit(place, firstText || String(rounded(before, 1e-4)), {
        label: `${label}, a number`,
        keep: firstText !== "",
        live(typed) {
          const value = parse(typed);
          if (value !== null) store.draft(name, row, col, value);
        },
        step(typed, by) {
          return String(rounded((parse(typed) ?? before) + by, 1e-4));
        },
        refusal: (typed) =>
          parse(typed) === null
            ? `${label}: “${typed}” is not a number; type a number such as −0.5`
            : "",
        refuse: store.abandon,
        done(typed) {
          const value = typed === null ? null : parse(typed);
          if (value === null || value === rounded(before, 1e-4)) store.abandon();
          else {
            store.draft(name, row, col, value);
            store.settle();
          }
        },
      });
    },
  };
}
