/** A box over a cell in which the user types a number or changes the number with the arrow keys. */
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { createFieldMessage } from "../field-message";
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
  /** Why the text is refused; empty if the text is valid. */
  refusal(typed: string): string;
  /** Called when the text is refused: the number is the number before again. */
  refuse(): void;
  /** Called when the box closes; null after Escape. */
  done(typed: string | null): void;
}

/** Close the open box of a card, and leave its number as it was. */
export function closeBox(root: Element | null): void {
  root?.querySelector(".aw-edit-box")?.dispatchEvent(new Event("cancel"));
}

export function openBox(
  grid: HTMLElement,
  block: Block,
  place: Place,
  firstText: string,
  options: EditOptions,
  { guarded }: Scope,
): void {
  // A box with a refused text stays open until another box opens.
  closeBox(grid.closest(".aw-root"));
  const { left, cw, ch } = block;
  const [row, col] = [block.rowSlots.placeOf(place[0]), block.colSlots.placeOf(place[1])];
  const input = h("input", { class: "aw-edit", type: "text", inputmode: "decimal" });
  input.setAttribute("aria-label", options.label);
  input.value = firstText;
  input.dataset.unsent = "true";
  const box = h("span", { class: "aw-edit-box" }, input);
  const message = createFieldMessage(box, input);
  box.style.left = `${left + col * cw + cw / 2}px`;
  box.style.top = `${block.top - TITLE + row * ch + ch / 2}px`;
  grid.append(box);
  input.focus();
  if (!options.keep) input.select();
  let open = true;
  const close = (typed: string | null, refocus: boolean) => {
    if (!open) return;
    open = false;
    options.done(typed);
    box.remove();
    if (refocus) grid.focus();
  };
  /** Close the box if its text is valid; else say why the text is not valid, and keep the text. */
  const send = (refocus: boolean) => {
    const words = options.refusal(input.value);
    if (!words || !open) return close(input.value, refocus);
    options.refuse();
    message.show(words);
    if (refocus) input.select();
  };
  const live = () => {
    options.live(input.value);
    if (!options.refusal(input.value)) message.hide();
  };
  box.addEventListener(
    "cancel",
    guarded(() => close(null, false)),
  );
  input.addEventListener("input", guarded(live));
  input.addEventListener(
    "blur",
    guarded(() => send(false)),
  );
  box.addEventListener("pointerdown", (event) => event.stopPropagation());
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
        live();
      } else if (event.key === "Enter") send(true);
      else if (event.key === "Escape") close(null, true);
    }),
  );
}
