/** As much of a page as a card needs to be put up outside a browser: elements, events, frames. */
import { vi } from "vitest";

type Listener = (event: FakeEvent) => unknown;

export interface FakeEvent {
  type: string;
  target: Element_;
  [name: string]: unknown;
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** `.class`, `tag`, `[name="value"]` and what is made of them, also one inside another. */
function matches(element: Element_, selector: string): boolean {
  const parts = selector.trim().split(/[\s>]+(?![^[]*\])/);
  const own = parts.pop() as string;
  const tests = own.match(/\.[\w-]+|\[[^\]]+\]|:[\w-]+|^[\w-]+/g) ?? [];
  const holds = tests.every((test) => {
    if (test.startsWith(".")) return element.classList.contains(test.slice(1));
    if (test === ":focus" || test === ":focus-visible") return focused === element;
    const [, name, value] = /^\[([\w-]+)(?:="(.*)")?\]$/.exec(test) ?? [];
    if (name) {
      const has = element.getAttribute(name);
      return value === undefined ? has !== null : has === value;
    }
    return element.tag === test;
  });
  if (!holds || !parts.length) return holds;
  for (let up = element.parentElement; up; up = up.parentElement) {
    if (matches(up, parts.join(" "))) return true;
  }
  return false;
}

let focused: Element_ | null = null;

export class Element_ {
  readonly attributes = new Map<string, string>();
  readonly childNodes: (Element_ | string)[] = [];
  readonly listeners = new Map<string, Set<Listener>>();
  readonly style: Record<string, unknown> = { setProperty() {} };
  parentElement: Element_ | null = null;
  clientWidth = 800;
  clientHeight = 400;
  offsetWidth = 800;
  offsetHeight = 400;
  offsetTop = 0;
  scrollTop = 0;
  checked = false;
  open = false;
  max = "";
  readonly dataset: Record<string, string>;
  readonly #typed: { value: string | null } = { value: null };

  constructor(readonly tag: string) {
    this.dataset = new Proxy({} as Record<string, string>, {
      get: (_, name) => this.attributes.get(`data-${kebab(String(name))}`),
      set: (_, name, value) => {
        this.attributes.set(`data-${kebab(String(name))}`, String(value));
        return true;
      },
      deleteProperty: (_, name) => this.attributes.delete(`data-${kebab(String(name))}`) || true,
    });
  }
  get ownerDocument() {
    return document;
  }
  get children(): Element_[] {
    return this.childNodes.filter((node) => node instanceof Element_);
  }
  get lastChild(): Element_ | null {
    return this.children.at(-1) ?? null;
  }
  get textContent(): string {
    return this.childNodes
      .map((node) => (node instanceof Element_ ? node.textContent : node))
      .join("");
  }
  set textContent(text: string) {
    this.replaceChildren(...(text ? [text] : []));
  }
  setAttribute(name: string, value: string) {
    this.attributes.set(name, String(value));
  }
  getAttribute(name: string) {
    return this.attributes.get(name) ?? null;
  }
  removeAttribute(name: string) {
    this.attributes.delete(name);
  }
  append(...nodes: (Element_ | string)[]) {
    for (const node of nodes) {
      if (node instanceof Element_) {
        node.remove();
        node.parentElement = this;
      }
      this.childNodes.push(node);
    }
  }
  prepend(node: Element_) {
    this.append(node);
    this.childNodes.unshift(this.childNodes.pop() as Element_);
  }
  replaceChildren(...nodes: (Element_ | string)[]) {
    for (const child of this.children) child.parentElement = null;
    this.childNodes.length = 0;
    this.append(...nodes);
  }
  remove() {
    const siblings = this.parentElement?.childNodes;
    siblings?.splice(siblings.indexOf(this), 1);
    this.parentElement = null;
  }
  get classList() {
    const list = () => (this.getAttribute("class") ?? "").split(" ").filter(Boolean);
    const write = (names: string[]) => this.setAttribute("class", names.join(" "));
    const toggle = (name: string, on = !list().includes(name)) =>
      write([...list().filter((other) => other !== name), ...(on ? [name] : [])]);
    return {
      contains: (name: string) => list().includes(name),
      add: (name: string) => toggle(name, true),
      remove: (name: string) => toggle(name, false),
      toggle,
    };
  }
  matches(selector: string) {
    return matches(this, selector);
  }
  closest(selector: string): Element_ | null {
    return this.matches(selector) ? this : (this.parentElement?.closest(selector) ?? null);
  }
  contains(other: Element_ | null): boolean {
    return other === this || (other?.parentElement ? this.contains(other.parentElement) : false);
  }
  querySelectorAll(selector: string): Element_[] {
    return this.children.flatMap((child) => [
      ...(child.matches(selector) ? [child] : []),
      ...child.querySelectorAll(selector),
    ]);
  }
  querySelector(selector: string): Element_ {
    return this.querySelectorAll(selector)[0] as Element_;
  }
  getRootNode() {
    return document;
  }
  getBoundingClientRect() {
    return { left: 0, top: 0, right: 800, bottom: 400, width: 800, height: 400 };
  }
  addEventListener(
    type: string,
    listener: Listener,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ) {
    this.listeners.set(type, (this.listeners.get(type) ?? new Set()).add(listener));
    signal?.addEventListener("abort", () => this.listeners.get(type)?.delete(listener));
  }
  /** As a browser does it: every listener up the tree, whatever one of them throws. */
  fire(type: string, more: Record<string, unknown> = {}) {
    let stopped = false;
    const event: FakeEvent = {
      ...{
        type,
        target: this,
        preventDefault() {},
        button: 0,
        pointerId: 1,
        clientX: 0,
        clientY: 0,
      },
      stopPropagation() {
        stopped = true;
      },
      ...more,
    };
    for (let at: Element_ | null = this; at && !stopped; at = at.parentElement) {
      for (const listener of [...(at.listeners.get(type) ?? [])]) run(() => listener(event));
    }
  }
  click() {
    if (!this.disabled) this.fire("click");
  }
  focus() {
    focused = this;
    this.fire("focus");
  }
  blur() {
    focused = null;
    this.fire("blur");
  }
  select() {}
  setPointerCapture() {}
  getContext() {
    return context;
  }
  // A select's choices.
  get options() {
    return this.querySelectorAll("option");
  }
  get selectedIndex() {
    return this.options.findIndex((option) => option.value === this.value);
  }
  set selectedIndex(index: number) {
    this.value = this.options[index]?.value ?? "";
  }
  get value(): string {
    if (this.tag === "option") return this.getAttribute("value") ?? this.textContent;
    if (this.tag !== "select") return this.#typed.value ?? this.getAttribute("value") ?? "";
    const known = this.options.some((option) => option.value === this.#typed.value);
    return known ? (this.#typed.value as string) : "";
  }
  set value(value: string) {
    this.#typed.value = String(value);
  }
  declare hidden: boolean;
  declare disabled: boolean;
  declare title: string;
  declare tabIndex: number;
  declare className: string;
  declare width: number;
  declare height: number;
}

for (const name of ["hidden", "disabled"]) {
  Object.defineProperty(Element_.prototype, name, {
    get(this: Element_) {
      return this.getAttribute(name) !== null;
    },
    set(this: Element_, on: boolean) {
      if (on) this.setAttribute(name, "");
      else this.removeAttribute(name);
    },
  });
}
for (const [name, attribute] of [
  ["title", "title"],
  ["className", "class"],
  ["tabIndex", "tabindex"],
]) {
  Object.defineProperty(Element_.prototype, name as string, {
    get(this: Element_) {
      return this.getAttribute(attribute as string) ?? "";
    },
    set(this: Element_, value: unknown) {
      this.setAttribute(attribute as string, String(value));
    },
  });
}

/** What a test puts in place of the context's own methods. */
let drawing: Record<string, () => void> = {};

/** Draws nothing; says how wide a text would be. */
const context: unknown = new Proxy(
  {
    measureText: (text: string) => ({ width: text.length * 6 }),
    createImageData: (width: number, height: number) => ({
      ...{ width, height, data: new Uint8ClampedArray(width * height * 4) },
    }),
    createLinearGradient: () => ({ addColorStop() {} }),
  } as Record<string | symbol, unknown>,
  { get: (known, name) => drawing[String(name)] ?? known[name] ?? (() => {}) },
);

const document = {
  documentElement: new Element_("html"),
  body: new Element_("body"),
  createElement: (tag: string) => new Element_(tag),
  createElementNS: (_: string, tag: string) => new Element_(tag),
  addEventListener() {},
  defaultView: null,
};

/** What a browser would report as uncaught. */
const uncaught: unknown[] = [];

function run(act: () => unknown) {
  try {
    const result = act();
    if (result instanceof Promise) result.catch((error) => uncaught.push(error));
  } catch (error) {
    uncaught.push(error);
  }
}

/** Put up an empty page; `frame` runs what waits for the next frame. */
export function openPage() {
  const frames = new Map<number, () => void>();
  let asked = 0;
  const resizes: (() => void)[] = [];
  uncaught.length = 0;
  drawing = {};
  focused = null;
  class Observer {
    constructor(changed: () => void) {
      resizes.push(changed);
    }
    observe() {}
    disconnect() {}
  }
  const globals: Record<string, unknown> = {
    ...{ document, Element: Element_, HTMLElement: Element_, ShadowRoot: class {} },
    ...{
      window: new Element_("window"),
      devicePixelRatio: 1,
      screen: { availHeight: 1000 },
      Path2D: class {
        rect() {}
      },
    },
    ...{ ResizeObserver: Observer, IntersectionObserver: Observer, MutationObserver: Observer },
    matchMedia: () => ({ matches: false, addEventListener() {} }),
    getComputedStyle: () => ({
      ...{ backgroundColor: "rgb(255, 255, 255)", overflowY: "visible" },
      getPropertyValue: (name: string) => (name === "--aw-font" ? "sans" : "#808080"),
    }),
    requestAnimationFrame(act: () => void) {
      frames.set(++asked, act);
      return asked;
    },
    cancelAnimationFrame: (id: number) => frames.delete(id),
  };
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
  const body = new Element_("div");
  return {
    body: body as unknown as HTMLElement,
    root: body,
    uncaught,
    drawing,
    /** Run the frames that were asked for, and not those that these ask for. */
    frame() {
      const due = [...frames.values()];
      frames.clear();
      for (const act of due) run(act);
    },
    /** The host gave the card another size. */
    resize() {
      for (const changed of resizes) run(changed);
    },
  };
}
