/** The parameter of a preset: a small button that shows it, and a panel to change it. */
import { inText, visible } from "../explain/tokens";
import { DEFAULTS, type Preset, paddedKeys } from "../state/presets";
import type { Store } from "../state/store";
import { disable, onPress } from "../ui/button";
import { h, text } from "../ui/dom";
import { createPopover } from "../ui/popover";
import type { Scope } from "../ui/scope";

export interface Parameter {
  button: HTMLButtonElement;
  panel: HTMLElement;
  update(): void;
}

function parameterButton(name: Preset, panel: HTMLElement, scope: Scope) {
  const button = h("button", { class: "aw-parameter" });
  createPopover(button, panel, "dialog", scope);
  return {
    button,
    /** The button is as wide as a usual value from the start, so a longer value is cut. */
    show(value: string, label: string) {
      text(button, value);
      button.setAttribute("aria-label", `${value}: ${label}`);
      button.title = `${name}: ${label}`;
    },
  };
}

/** A whole number with a button for one less and a button for one more. */
export function createCounter(
  store: Store,
  name: "window" | "prefix",
  label: string,
  format: (value: number) => string,
  scope: Scope,
): Parameter {
  const less = h("button", { "aria-label": `fewer ${label}` }, "−");
  const more = h("button", { "aria-label": `more ${label}` }, "+");
  const output = h("output", { "aria-label": label });
  const panel = h("div", { class: "aw-counter", role: "dialog", "aria-label": label });
  panel.append(less, output, more, h("span", {}, label));
  const { button, show } = parameterButton(name, panel, scope);
  const current = () => store.presets[name] ?? DEFAULTS[name];
  const step = (by: number) => () => {
    const value = Math.max(0, Math.min(store.nK, current() + by));
    store.setPresets({ ...store.presets, [name]: value });
  };
  onPress(less, step(-1), scope);
  onPress(more, step(1), scope);
  return {
    button,
    panel,
    update() {
      const value = current();
      output.value = format(value);
      show(format(value), label);
      disable(less, value === 0, "");
      disable(more, value >= store.nK, "");
    },
  };
}

/** A checkbox for each token. */
export function createPadding(store: Store, scope: Scope): Parameter {
  const panel = h("div", { class: "aw-tokens", role: "group", "aria-label": "padded tokens" });
  const { button, show } = parameterButton("padding", panel, scope);
  let listedNames = "";
  scope.listen(panel, "change", () => {
    const boxes = [...panel.querySelectorAll("input")];
    const chosen = boxes.flatMap((box, k) => (box.checked ? [k] : []));
    store.setPresets({ ...store.presets, padding: chosen });
  });
  return {
    button,
    panel,
    update() {
      const { padding } = store.presets;
      const names = JSON.stringify(store.keyTokens);
      if (names !== listedNames) {
        listedNames = names;
        panel.replaceChildren(
          ...store.keyTokens.map((token) =>
            h("label", {}, h("input", { type: "checkbox" }), h("bdi", {}, visible(token))),
          ),
        );
      }
      // While the preset is off, the button shows the tokens that it would pad.
      const isOff = padding === undefined;
      const padded = isOff || padding === true ? paddedKeys(store.keyTokens) : padding;
      const checked = new Set(isOff ? [] : padded);
      panel.querySelectorAll("input").forEach((box, k) => {
        box.checked = checked.has(k);
      });
      const tokens = padded.map((k) => inText(store.keyTokens[k]));
      show(
        tokens.length === 1 ? tokens[0] : tokens.length ? `${tokens.length} tokens` : "none",
        tokens.length ? `the padded tokens are ${tokens.join(", ")}` : "no token is padded",
      );
    },
  };
}
