/** A box over a cell in which the user types a number or changes the number with the arrow keys. */
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { type Block, TITLE } from "./block";
import type { Place } from "./gestures";

export interface EditOptions {
  label: string;
  /** Keep the first text when the next key is typed, because a key opened the box and is the first digit. */
  keep: boolean;
  /** Called at each change of the text. */
  live(typed: string): void;
  /** The text after a step of an arrow key. */
  step(typed: string, by: number): string;
  /** Called when the box closes; null after Escape. */
  done(typed: string | null): void;
}

export function openBox(
  grid: HTMLElement,
  block: Block,
  place: Place,
  firstText: string,
  options: EditOptions,
  { guarded }: Scope,
): void {
  const { left, cw, ch } = block;
  const [row, col] = [block.rowSlots.placeOf(place[0]), block.colSlots.placeOf(place[1])];
  const input = h("input", { class: "aw-edit", type: "text", inputmode: "decimal" });
  input.setAttribute("aria-label", options.label);
  input.value = firstText;
  input.dataset.unsent = "true";
  input.style.left = `${left + col * cw + cw / 2}px`;
  input.style.top = `${block.top - TITLE + row * ch + ch / 2}px`;
  grid.append(input);
  input.focus();
  if (!options.keep) input.select();
  let open = true;
  const close = (typed: string | null, refocus: boolean) => {
    if (!open) return;
    open = false;
    options.done(typed);
    input.remove();
    if (refocus) grid.focus();
  };
  input.addEventListener(
    "input",
    guarded(() => options.live(input.value)),
  );
  input.addEventListener(
    "blur",
    guarded(() => close(input.value, false)),
  );
  input.addEventListener("pointerdown", (event) => event.stopPropagation());
  input.addEventListener(
    "keydown",
    guarded((event: KeyboardEvent) => {
      event.stopPropagation();
      const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (by) {
        event.preventDefault();
        input.value = options.step(
          input.value,
          by * (event.shiftKey ? 1 : event.altKey ? 0.01 : 0.1),
        );
        options.live(input.value);
      } else if (event.key === "Enter") close(input.value, true);
      else if (event.key === "Escape") close(null, true);
    }),
  );
}
