/** Say beside the title that Python does not answer, or why an edit was refused; a thin bar shows that the card waits. */

import type { Store } from "../state/store";
import { NO_ANSWER } from "../state/waiting";
import { h, text } from "../ui/dom";
import type { Env } from "./view";

export const NO_PYTHON = "There is no Python here: edits are a preview and are not kept";

export function createStatus(parent: HTMLElement, store: Store, { signal }: Env): void {
  const element = h("span", { class: "aw-busy", role: "status", hidden: true });
  parent.append(element);
  const isDue = () => store.live && (store.computing || store.asking);
  const status = () => {
    if (store.refusal) return store.refusal;
    if (!store.live) return store.pending ? NO_PYTHON : "";
    if (store.late) return NO_ANSWER;
    return isDue() ? "computing…" : "";
  };
  const update = () => {
    const message = status();
    element.hidden = message === "";
    // The bar shows it to the eye; the words are for a screen reader.
    element.dataset.isBar = String(message === "computing…");
    text(element, message);
    element.title = message;
  };
  store.subscribe(update, signal);
  update();
}

/** How long a card waits before it shows that it waits, in milliseconds. */
const SHOWN_AFTER = 150;

/**
 * A bar of 2 px over the top of the body, and a dimmed body, while an answer is due. They move nothing.
 * An answer that comes at once shows neither, because their animation would delay the answer.
 */
export function createBar(root: HTMLElement, stage: HTMLElement, store: Store, env: Env): void {
  stage.append(h("div", { class: "aw-computing", "aria-hidden": "true" }));
  let cancel: (() => void) | null = null;
  const update = () => {
    const isDue = store.live && (store.computing || store.asking);
    root.dataset.computing = String(isDue);
    if (isDue) {
      cancel ??= env.after(SHOWN_AFTER, () => {
        root.dataset.late = "true";
      });
      return;
    }
    cancel?.();
    cancel = null;
    root.dataset.late = "false";
  };
  store.subscribe(update, env.signal);
  update();
}
