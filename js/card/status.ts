/** What the card waits for, in a few words at the edge of its head: nothing moves when they appear. */

import type { Store } from "../state/store";
import { NO_ANSWER } from "../state/waiting";
import { h, text } from "../ui/dom";
import type { Env } from "./view";

export const NO_PYTHON = "There is no Python here: edits are a preview and are not kept";

export function createStatus(parent: HTMLElement, store: Store, { signal }: Env): void {
  const element = h("span", { class: "aw-busy", role: "status", hidden: true });
  parent.append(element);
  const words = () => {
    if (store.refusal) return store.refusal;
    if (!store.live) return store.pending ? NO_PYTHON : "";
    if (store.late) return NO_ANSWER;
    return store.computing || store.asking ? "computing…" : "";
  };
  const update = () => {
    const said = words();
    element.hidden = said === "";
    text(element, said);
  };
  store.subscribe(update, signal);
  update();
}
