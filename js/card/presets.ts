/** The switches of the named masks, which can be combined, and the parameter of each mask. */

import { visible } from "../explain/tokens";
import { DEFAULTS, PRESETS, type Preset, paddedKeys } from "../state/presets";
import type { Store } from "../state/store";
import { h } from "../ui/dom";
import type { Scope } from "../ui/scope";
import type { Presets } from "../wire/schema";

const TITLES: Record<Preset, string> = {
  causal: "no query sees a later key",
  padding: "no query sees the padding: the pad tokens at the end, or those that you choose",
  window: "each query sees only the keys near it",
  prefix: "every query sees the first tokens; the other keys are causal",
  block: "each query sees only its own sentence",
};

export function createPresets(store: Store, { listen }: Scope) {
  const buttons = new Map<Preset, HTMLButtonElement>();
  const toggle = (name: Preset) => {
    const { [name]: on, ...others } = store.presets;
    store.setPresets(on === undefined ? { ...others, [name]: DEFAULTS[name] } : others);
  };
  for (const name of PRESETS) {
    const button = h("button", { type: "button", "data-text": name, title: TITLES[name] }, name);
    listen(button, "click", () => toggle(name));
    buttons.set(name, button);
  }
  const width = counter("window", "keys to either side", (value) => `± ${value}`);
  const prefix = counter("prefix", "tokens of the prefix", String);
  const padding = paddingChoice();
  const group = { class: "aw-segmented aw-presets", role: "group", "aria-label": "mask presets" };
  const element = h("div", { class: "aw-masks" }, h("div", group, ...buttons.values()));
  element.append(width.element, prefix.element, padding.element);

  function counter(name: "window" | "prefix", label: string, format: (value: number) => string) {
    const less = h("button", { type: "button", "aria-label": `fewer ${label}` }, "−");
    const more = h("button", { type: "button", "aria-label": `more ${label}` }, "+");
    const output = h("output", { "aria-label": label, title: label });
    const step = (by: number) => () => {
      const value = Math.max(0, Math.min(store.nK, (store.presets[name] ?? 0) + by));
      store.setPresets({ ...store.presets, [name]: value });
    };
    listen(less, "click", step(-1));
    listen(more, "click", step(1));
    return {
      element: h("span", { class: "aw-counter", "data-preset": name }, less, output, more),
      update(this: { element: HTMLElement }, value: number | undefined) {
        this.element.hidden = value === undefined;
        output.value = format(value ?? 0);
        less.disabled = value === 0;
        more.disabled = (value ?? 0) >= store.nK;
      },
    };
  }

  function paddingChoice() {
    const list = h("div", { class: "aw-tokens", role: "group", "aria-label": "padded tokens" });
    const summary = h("summary", {}, "which");
    const element = h("details", { class: "aw-padded" }, summary, list);
    const close = () => {
      element.open = false;
    };
    listen(element, "keydown", (event) => {
      if (event.key !== "Escape" || !element.open) return;
      event.stopPropagation();
      close();
      summary.focus();
    });
    listen(element, "focusout", (event) => {
      if (!element.contains(event.relatedTarget as Node | null)) close();
    });
    let listedNames = "";
    listen(list, "change", () => {
      const boxes = [...list.querySelectorAll("input")];
      const chosen = boxes.flatMap((box, k) => (box.checked ? [k] : []));
      store.setPresets({ ...store.presets, padding: chosen });
    });
    return {
      element,
      update(value: Presets["padding"]) {
        element.hidden = value === undefined;
        if (value === undefined) return;
        const names = JSON.stringify(store.keyTokens);
        if (names !== listedNames) {
          listedNames = names;
          list.replaceChildren(
            ...store.keyTokens.map((token) =>
              h("label", {}, h("input", { type: "checkbox" }), h("bdi", {}, visible(token))),
            ),
          );
        }
        const padded = new Set(value === true ? paddedKeys(store.keyTokens) : value);
        list.querySelectorAll("input").forEach((box, k) => {
          box.checked = padded.has(k);
        });
      },
    };
  }

  return {
    element,
    update() {
      const { presets } = store;
      for (const [name, button] of buttons) {
        button.setAttribute("aria-pressed", String(presets[name] !== undefined));
      }
      width.update(presets.window);
      prefix.update(presets.prefix);
      padding.update(presets.padding);
    },
  };
}
