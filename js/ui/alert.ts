/** The error message at the top of a card; it stays until the user dismisses it. */
import { h, text } from "./dom";
import type { Scope } from "./scope";

export function createAlert(alert: HTMLElement, dismissed: () => void, { listen }: Scope) {
  const dismiss = h("button", { class: "aw-text-button" }, "dismiss");
  listen(dismiss, "click", dismissed);
  return (error: string) => {
    const { failed } = alert.dataset;
    alert.hidden = error === "" && !failed;
    if (error) alert.replaceChildren(error, " ", dismiss);
    else if (failed) text(alert, failed);
  };
}
