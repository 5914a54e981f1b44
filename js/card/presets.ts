/** The switches of the named masks, which can be combined; a small menu beside a switch has the parameter. */

import { DEFAULTS, PRESETS, type Preset, paddedKeys } from "../state/presets";
import type { Store } from "../state/store";
import { disable, onPress } from "../ui/button";
import { h } from "../ui/dom";
import type { Scope } from "../ui/scope";
import { createCounter, createPadding, type Parameter } from "./preset-parameters";

const TITLES: Record<Preset, string> = {
  causal: "no query sees a later key",
  padding: "no query sees the padding: the pad tokens at the end, or the tokens that you choose",
  window: "each query sees only the keys near it",
  prefix: "every query sees the first tokens; the other keys are causal",
  block: "each query sees only its own sentence",
};

export function createPresets(store: Store, scope: Scope) {
  const buttons = new Map<Preset, HTMLButtonElement>();
  let isClosing = false;
  const toggle = (name: Preset) => {
    const { [name]: on, ...others } = store.presets;
    // Without pad tokens there is nothing to hide yet: the menu asks which tokens are padding.
    if (name === "padding" && on === undefined && paddedKeys(store.keyTokens).length === 0) {
      // A press that finds the menu open has closed the menu.
      if (!isClosing) parameters.padding?.button.click();
      isClosing = false;
      return;
    }
    store.setPresets(on === undefined ? { ...others, [name]: DEFAULTS[name] } : others);
  };
  const parameters: Partial<Record<Preset, Parameter>> = {
    padding: createPadding(store, scope),
    window: createCounter(store, "window", "keys to either side", (value) => `±${value}`, scope),
    prefix: createCounter(store, "prefix", "tokens of the prefix", String, scope),
  };
  const group = { class: "aw-segmented aw-presets", role: "group", "aria-label": "mask presets" };
  const element = h("div", group);
  for (const name of PRESETS) {
    const button = h("button", { "data-text": name, title: TITLES[name] }, name);
    onPress(button, () => toggle(name), scope);
    scope.listen(button, "pointerdown", () => {
      isClosing = parameters[name]?.button.ariaExpanded === "true";
    });
    buttons.set(name, button);
    const parameter = parameters[name];
    const parts = parameter ? [parameter.button, parameter.panel] : [];
    element.append(h("span", { class: "aw-preset", "data-preset": name }, button, ...parts));
  }

  return {
    element,
    /** `reason` says why the view cannot show a mask; "" if the view can. */
    update(reason: string) {
      for (const [name, button] of buttons) {
        button.setAttribute("aria-pressed", String(store.presets[name] !== undefined));
        disable(button, reason !== "", reason || TITLES[name]);
        const parameter = parameters[name];
        if (!parameter) continue;
        parameter.update();
        parameter.button.disabled = reason !== "";
      }
    },
  };
}
