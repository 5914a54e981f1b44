/** What a reader of the map should know, in a line of fixed height; a long notice opens from the button "more". */
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { createPopover } from "../ui/popover";
import type { Env } from "./view";

export function createNotice(parent: HTMLElement, store: Store, env: Env): void {
  const words = h("p", { class: "aw-notice", role: "status" });
  const more = h("button", { class: "aw-text-button aw-notice-more" }, "more");
  const whole = h("div", { class: "aw-notice-whole", role: "dialog", "aria-label": "notice" });
  whole.tabIndex = -1;
  createPopover(more, whole, "dialog", env);
  const element = h("div", { class: "aw-notice-line" }, words, more, whole);
  parent.append(element);

  const measure = () => {
    more.style.visibility = words.scrollHeight > words.clientHeight + 2 ? "" : "hidden";
  };
  const update = () => {
    const notice = store.get("notice");
    text(words, notice);
    element.hidden = notice === "";
    const isWrong = store.get("layers").some((layer) => layer.proved === false);
    words.classList.toggle("aw-warning", isWrong);
  };
  env.listen(whole, "beforetoggle", () => text(whole, words.textContent));
  env.onResize([words], measure);
  store.subscribe(({ names }) => {
    if (!names.has("notice") && !names.has("layers")) return;
    update();
    measure();
  }, env.signal);
  // The observer of the size measures first: a card that is not laid out yet would be laid out twice.
  update();
}
