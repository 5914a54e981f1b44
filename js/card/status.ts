/** Say in the head of the card that the card waits for Python, or why an edit was refused. */

import type { Store } from "../state/store";
import { NO_ANSWER } from "../state/waiting";
import { h, text } from "../ui/dom";
import type { Env } from "./view";

export const NO_PYTHON = "There is no Python here: edits are a preview and are not kept";

export function createStatus(parent: HTMLElement, store: Store, { signal }: Env): void {
  const element = h("span", { class: "aw-busy", role: "status", hidden: true });
  parent.append(element);
  const status = () => {
    if (store.refusal) return store.refusal;
    if (!store.live) return store.pending ? NO_PYTHON : "";
    if (store.late) return NO_ANSWER;
    return store.computing || store.asking ? "computing…" : "";
  };
  const update = () => {
    const message = status();
    element.hidden = message === "";
    text(element, message);
  };
  store.subscribe(update, signal);
  update();
}
