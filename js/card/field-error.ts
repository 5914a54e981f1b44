/** A refusal of Python's under the field that it is about, in the words of the field. */
import { createFieldMessage } from "../draw/field-message";
import type { Store } from "../state/store";
import type { Setting } from "../wire/schema";

/** What the fields are called on the card, where Python has another name. */
const LABELS: Partial<Record<Setting, string>> = {
  tokens: "sentence",
  key_tokens: "key sentence",
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

/** The message under the field of a setting. */
export function createFieldError(
  store: Store,
  name: Setting,
  element: HTMLElement,
  input: HTMLElement,
) {
  const message = createFieldMessage(element, input);
  let seen = store.refused;
  return Object.assign(message, {
    /** Show the newest refusal if it is about this field; return whether it has just been shown. */
    look(typed: string): boolean {
      const { refused } = store;
      if (!refused || refused === seen) return false;
      seen = refused;
      if (refused.name !== name) return false;
      const panel = element.closest("details");
      if (panel) panel.open = true;
      message.show(inWordsOfCard(refused.words, typed));
      return true;
    },
  });
}
