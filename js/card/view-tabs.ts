/** The choice of a view: a tab for each view, one menu for the views of BertViz, and a list in a narrow card. */
import type { Store } from "../state/store";
import { h } from "../ui/dom";
import { createPopover } from "../ui/popover";
import { radioStep, segmented } from "../ui/segmented";
import { unavailable } from "./needs";
import type { Env, View, Views } from "./view";

export function createViewTabs(store: Store, every: Views, env: Env) {
  const views = Object.values(every) as View[];
  const [plain, grouped] = [views.filter(({ group }) => !group), views.filter((v) => v.group)];
  const pick = (name: string) => store.set("view", name);
  const choices = plain.map(({ name, label }) => ({ value: name, text: label }));
  const tabs = segmented("view", choices, pick, env);
  const menu = createMenu(grouped, pick, env);
  const list = h("select", { "aria-label": "view", class: "aw-view-list" });
  list.append(...views.map(({ name, label }) => h("option", { value: name }, label)));
  env.listen(list, "change", () => pick(list.value));
  const element = h("div", { class: "aw-views" }, tabs.element, ...menu.elements, list);

  return {
    element,
    update() {
      const current = store.get("view");
      const reasons = new Map(views.map((view) => [view.name as string, unavailable(store, view)]));
      const reason = (name: string) => (name === current ? "" : (reasons.get(name) ?? ""));
      tabs.set(current);
      tabs.offer(
        plain.map(({ name }) => name),
        reason,
      );
      // An attribute and no `:has()`: in a container query, that selector costs 3 ms a layout.
      element.dataset.menu = String(menu.update(current, reason));
      [...list.querySelectorAll("option")].forEach((option, i) => {
        const { name } = views[i];
        option.disabled = reason(name) !== "";
        option.title = reason(name);
        option.hidden = option.disabled && grouped.includes(views[i]);
      });
      list.value = current;
    },
  };
}

/** One button for views that belong together, such as "BertViz ▾", with a menu of them. */
function createMenu(views: readonly View[], pick: (name: string) => void, env: Env) {
  const { listen } = env;
  const label = views[0]?.group ?? "";
  const button = h("button", { class: "aw-menu-tab", "data-text": `${label} ▾` });
  button.append(`${label} ▾`);
  const panel = h("div", { class: "aw-menu", role: "menu", "aria-label": label });
  const popover = createPopover(button, panel, "menu", env);
  const items = views.map(({ name, label }) => {
    const item = h("button", { role: "menuitemradio", "data-value": name }, label);
    item.tabIndex = -1;
    listen(item, "click", () => {
      popover.close();
      button.focus();
      pick(name);
    });
    return item;
  });
  panel.append(...items);
  listen(panel, "keydown", (event) => {
    const step = radioStep(event);
    if (!step) return;
    const enabled = items.filter((item) => !item.disabled);
    const from = enabled.indexOf(event.target as HTMLButtonElement);
    enabled[(from + step + enabled.length) % enabled.length]?.focus();
  });
  // Once there is a reason to show the button, it stays, because the controls after it would move.
  let wasOffered = false;

  return {
    elements: [button, panel],
    /** Return whether the button is shown. */
    update(current: string, reason: (name: string) => string): boolean {
      items.forEach((item) => {
        const name = item.dataset.value as string;
        item.disabled = reason(name) !== "";
        item.title = reason(name);
        item.setAttribute("aria-checked", String(name === current));
      });
      const isAny = items.some((item) => !item.disabled);
      wasOffered ||= isAny;
      button.hidden = !wasOffered;
      button.disabled = !isAny;
      button.title = isAny ? "" : (items[0]?.title ?? "");
      button.dataset.current = String(views.some(({ name }) => name === current));
      return wasOffered;
    },
  };
}
