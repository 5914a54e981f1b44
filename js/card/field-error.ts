/** The message under a field whose value was refused, in the words of the field. It lies over the card and moves nothing. */
import { elementId } from "../draw/element-id";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import type { Setting } from "../wire/schema";

/** What the fields are called on the card, where Python has another name. */
const LABELS: Partial<Record<Setting, string>> = {
  tokens: "sentence",
  key_tokens: "keys from",
  n_heads: "heads",
  init: "weights",
  positional: "positions",
};
const LONGEST = 40;

export const labelOf = (name: Setting): string => LABELS[name] ?? name;

/** Python's words with the names of the card, and with what was typed. */
export function inWordsOfCard(words: string, typed: string): string {
  const quoted = typed.length > LONGEST ? `${typed.slice(0, LONGEST)}…` : typed;
  return words
    .replace(/^\w+(?=:)/, (name) => labelOf(name as Setting))
    .replace(/: got (?!none).*?, want /, `: got “${quoted}”, want `)
    .replaceAll("n_heads", "heads");
}

export interface FieldError {
  readonly isShown: boolean;
  /** Show the newest refusal if it is about this field; return whether it has just been shown. */
  look(typed: string): boolean;
  hide(): void;
}

export function createFieldError(
  store: Store,
  name: Setting,
  element: HTMLElement,
  input: HTMLElement,
): FieldError {
  const message = h("span", {
    class: "aw-field-error",
    role: "alert",
    id: elementId(),
    hidden: true,
  });
  element.append(message);
  let seen = store.refused;

  function place() {
    message.style.left = "0";
    const room = element.closest(".aw-root")?.getBoundingClientRect().right ?? 0;
    const over = message.getBoundingClientRect().right + 10 - room;
    if (over > 0) message.style.left = `${-over}px`;
  }
  return {
    get isShown() {
      return !message.hidden;
    },
    look(typed) {
      const { refused } = store;
      if (!refused || refused === seen) return false;
      seen = refused;
      if (refused.name !== name) return false;
      text(message, inWordsOfCard(refused.words, typed));
      message.hidden = false;
      const panel = element.closest("details");
      if (panel) panel.open = true;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", message.id);
      place();
      return true;
    },
    hide() {
      if (message.hidden) return;
      message.hidden = true;
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    },
  };
}
