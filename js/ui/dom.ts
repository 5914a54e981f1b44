/** Elements in one line. Text goes in as text: a token can never be markup. */

type Props = Record<string, string | number | boolean | null | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    el.setAttribute(name, value === true ? "" : String(value));
  }
  el.append(...children);
  return el;
}

/** Set text only where it differs: the node is left alone while nothing changes. */
export function text(el: HTMLElement, value: string): void {
  if (el.textContent !== value) el.textContent = value;
}

// Weak, and about elements alone: it outlives no view.
const contents = new WeakMap<Element, string>();

/** Fill an element anew only where `key`, what its content depends on, differs. */
export function fill(el: HTMLElement, key: string, make: () => (Node | string)[]): void {
  if (contents.get(el) === key) return;
  contents.set(el, key);
  el.replaceChildren(...make());
}
