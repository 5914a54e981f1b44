/** The message under a field whose value was refused. It lies over the card and moves nothing. */
import { h, text } from "../ui/dom";
import { elementId } from "./element-id";

/** `host` is around the field, and the message stands under `host`. */
export function createFieldMessage(host: HTMLElement, input: HTMLElement) {
  const message = h("span", {
    class: "aw-field-error",
    role: "alert",
    id: elementId(),
    hidden: true,
  });
  host.append(message);

  /** Keep the message inside the card, which cuts off what is outside. */
  function place() {
    Object.assign(message.style, { left: "0", top: "" });
    const card = host.closest(".aw-root")?.getBoundingClientRect();
    const { right, bottom, height } = message.getBoundingClientRect();
    if (card && right + 10 > card.right) message.style.left = `${card.right - right - 10}px`;
    // At the lower edge of the card the message stands over the field.
    if (card && bottom + 4 > card.bottom) message.style.top = `${-height - 4}px`;
  }
  return {
    get isShown() {
      return !message.hidden;
    },
    show(words: string) {
      text(message, words);
      message.hidden = false;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", message.id);
      place();
    },
    hide() {
      message.hidden = true;
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    },
  };
}
