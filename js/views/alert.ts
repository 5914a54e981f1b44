/** The line at the head of a card that says what went wrong, until it is dismissed. */
import { h } from "../dom";

export function createAlert(alert: HTMLElement, dismissed: () => void, signal: AbortSignal) {
  const dismiss = h("button", { type: "button", class: "aw-text-button" }, "dismiss");
  dismiss.addEventListener("click", dismissed, { signal });
  return (error: string) => {
    alert.hidden = error === "" && !alert.dataset.failed;
    if (error) alert.replaceChildren(error, " ", dismiss);
  };
}
