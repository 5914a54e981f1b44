/** Create and fill elements. Strings are inserted as text, so a token is never read as markup. */

type Props = Record<string, string | number | boolean | null | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  // A button of a host's form would send the form.
  if (tag === "button") el.setAttribute("type", "button");
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    el.setAttribute(name, value === true ? "" : String(value));
  }
  el.append(...children);
  return el;
}

/** Set the text only if it differs, so that the node is not replaced without a change. */
export function text(el: HTMLElement, value: string): void {
  if (el.textContent !== value) el.textContent = value;
}

// The map holds its keys weakly, so an entry is freed with the element.
const contents = new WeakMap<Element, string>();

/** Replace the children of an element only if `key` differs; the content depends on `key` alone. */
export function fill(el: HTMLElement, key: string, make: () => (Node | string)[]): void {
  if (contents.get(el) === key) return;
  contents.set(el, key);
  el.replaceChildren(...make());
}
