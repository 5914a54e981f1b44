/** A layer as lines from each token to what it looks at, a colour for a head. */

import type { Env, View } from "../../card/view";
import { palette } from "../../draw/palette";
import { visible } from "../../explain/tokens";
import { largest } from "../../maths/extent";
import type { Store } from "../../state/store";
import { problem } from "../../state/waiting";
import { h, text } from "../../ui/dom";
import { segmented } from "../../ui/segmented";
import type { Matrix } from "../../wire/codec";
import { watchDensity } from "../heatmap/density";
import {
  between,
  fromMatrices,
  fromMessage,
  headColor,
  type LineData,
  received,
  withHead,
} from "./data";
import { columns, paintLines, ROW } from "./paint";

/** All heads of a layer. */
interface Sent {
  layer: number;
  kind: string;
  data: LineData;
}

const TALLEST = 560;
const SENTENCES = ["all", "A → A", "A → B", "B → A", "B → B"];

export const view: View = {
  name: "lines",
  label: "Lines",
  needs: [],
  // The heads of a layer are drawn together.
  parts: ["layer"],
  mount: (host, card) => createLines(host, card.store, card),
};

function createLines(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, listen, guarded, theme } = env;
  const legend = h("div", { class: "aw-line-heads", role: "group", "aria-label": "heads" });
  const hint = h(
    "p",
    { class: "aw-where" },
    "a click toggles a head, a double click shows it alone",
  );
  const id = `aw-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const option = h("div", { role: "option", id });
  const canvas = h("canvas", {});
  const spacer = h("div", { class: "aw-line-space" }, canvas);
  const box = h(
    "div",
    { class: "aw-lines", role: "listbox", tabindex: 0, "aria-multiselectable": true },
    spacer,
    h("div", { class: "aw-gridrow" }, option),
  );
  box.setAttribute("aria-label", "queries, and what they look at");
  box.setAttribute("aria-activedescendant", id);
  const readout = h("p", { class: "aw-where aw-line-readout", role: "status" });
  const sentences = segmented(
    "sentences",
    SENTENCES.map((value) => ({ value, text: value })),
    (value) => {
      pair = value;
      sentences.set(value);
      arrange();
    },
    env,
  );
  const root = h("div", { class: "aw-lines-view" }, legend, hint, sentences.element, box, readout);
  parent.append(root);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;

  let pair = SENTENCES[0] as string;
  sentences.set(pair);
  let data: LineData | null = null;
  /** Lines that Python sent: those drawn, and those that come before the layer that they are of. */
  let sent: Sent | null = null;
  let next: Sent | null = null;
  let asking = new AbortController();
  let trouble = "";
  let on = new Set<number>();
  const selected = new Set<number>();
  let hovered: number | null = null;
  let key: number | null = null;
  let active = 0;
  let keyboard = false;
  let painted = 0;

  const heads = () => Array.from({ length: store.nHeads }, (_, i) => i);

  /** A sentence's heads are on the page, a model's come by layer. */
  const isHere = () =>
    store.get("layers").every(({ module }) => module === "") && store.stacked === store.nHeads;

  async function load() {
    asking.abort();
    const mine = new AbortController();
    asking = mine;
    trouble = "";
    if (isHere() || !current()) arrange(); // what is drawn may be of another layer now
    if (isHere()) return;
    const [layer, kind] = [store.get("layer"), store.get("kind")];
    try {
      const until = AbortSignal.any([signal, mine.signal]);
      const { content, buffers } = await store.request({ type: "lines", layer, kind }, until);
      next = { layer, kind, data: fromMessage(content as never, buffers) };
    } catch (error) {
      if (mine.signal.aborted || signal.aborted) return;
      trouble = problem("The lines", error);
    }
    arrange();
  }

  /** The lines of the layer that is shown: those of another wait until it is. */
  function current(): LineData | null {
    if (isHere()) return fromMatrices(heads().map((h) => store.matrix("attention", h) as Matrix));
    const { layer, head, kind } = store.shown;
    const isShown = (lines: Sent | null) => lines?.layer === layer && lines.kind === kind;
    if (isShown(next)) [sent, next] = [next, null];
    // The shown head is as it is here, with what was masked by hand.
    return sent && isShown(sent) ? withHead(sent.data, head, store.attention) : null;
  }

  function arrange() {
    data = current();
    const start = store.get("sentence_b_start");
    sentences.element.hidden = start === null;
    if (!data) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      text(readout, trouble || `waiting for the lines of layer ${store.shown.layer}`);
      return;
    }
    const [from, to] = pair.split(" → ");
    if (start !== null && from && to) data = between(data, from, to, start);
    if (on.size === 0 || largest([...on]) >= data.heads) on = new Set(heads());
    active = Math.min(active, data.nQ - 1);
    for (const q of selected) if (q >= data.nQ) selected.delete(q);
    drawLegend();
    resize();
    if (trouble) text(readout, trouble);
  }

  function drawLegend() {
    const count = data?.heads ?? 0;
    legend.hidden = hint.hidden = count < 2;
    while (legend.children.length > count) legend.lastChild?.remove();
    while (legend.children.length < count) legend.append(headButton(legend.children.length));
    [...legend.children].forEach((button, head) => {
      const [r, g, b] = headColor(head, theme.dark);
      (button as HTMLElement).style.setProperty("--aw-head", `rgb(${r} ${g} ${b})`);
      button.setAttribute("aria-pressed", String(on.has(head)));
    });
  }

  function headButton(head: number) {
    const button = h(
      "button",
      { type: "button", class: "aw-line-head", "aria-label": `head ${head}` },
      `${head}`,
    );
    button.addEventListener(
      "click",
      guarded(() => {
        if (!on.delete(head)) on.add(head);
        show();
      }),
    );
    button.addEventListener(
      "dblclick",
      guarded(() => {
        const alone = on.size === 1 && on.has(head);
        on = new Set(alone ? Array.from({ length: data?.heads ?? 0 }, (_, i) => i) : [head]);
        show();
      }),
    );
    return button;
  }

  function show() {
    drawLegend();
    request();
  }

  const looking = (): Set<number> | null => {
    if (key !== null) return null;
    if (hovered !== null) return new Set([hovered]);
    if (selected.size) return selected;
    return keyboard ? new Set([active]) : null;
  };

  function paint() {
    if (!data || canvas.width === 0) return;
    // Another stack's tokens are here before its lines.
    if (data.nQ !== store.nQ || data.nK !== store.nK) return;
    const heads = [...on].sort((a, b) => a - b);
    const now = looking();
    paintLines(
      context,
      {
        data,
        heads,
        queries: store.tokens,
        keys: store.keyTokens,
        special: store.isSpecial,
        looking: now,
        key,
        selected,
        active: keyboard ? active : null,
        scroll: box.scrollTop,
        width: box.clientWidth,
        height: box.clientHeight,
        dark: theme.dark,
      },
      palette(root),
    );
    say(now, heads);
    Object.assign(root.dataset, { painted: ++painted, heads: heads.join(), row: ROW });
  }

  /** The strongest keys of what is looked at, in words. */
  function say(now: Set<number> | null, heads: number[]) {
    if (!data) return;
    if (key !== null) {
      let sum = 0;
      for (let q = 0; q < data.nQ; q++) {
        for (const head of heads) data.each(head, q, (k, w) => (sum += k === key ? w : 0));
      }
      text(
        readout,
        `“${visible(store.keyTokens[key] as string)}” gets ${sum.toFixed(3)} of ${heads.length} × ${data.nQ} rows`,
      );
      return;
    }
    if (!now) {
      text(
        readout,
        "hover a token on the left to see what it looks at, on the right to see who looks at it",
      );
      return;
    }
    const { sums, rest } = received(data, heads, now);
    const top = Array.from(sums, (value, k) => ({ value, k }))
      .sort((a, b) => b.value - a.value)
      .slice(0, 5);
    const names = [...now].map((q) => visible(store.tokens[q] as string)).join(" + ");
    const listed = top
      .filter(({ value }) => value > 0)
      .map(({ value, k }) => `${visible(store.keyTokens[k] as string)} ${value.toFixed(3)}`);
    const left = rest > 5e-4 ? `; ${rest.toFixed(3)} on keys not drawn` : "";
    const alone = data.heads > 1 ? ` in head ${heads[0]}` : "";
    const over = heads.length > 1 ? `, ${heads.length} heads summed` : alone;
    const said = `${names} → ${listed.join(", ")}${left}${heads.length ? over : ", no head is on"}`;
    text(readout, said);
    text(option, said);
    option.setAttribute("aria-selected", String(selected.has(active)));
    Object.assign(root.dataset, {
      query: [...now].join(),
      values: Array.from(sums, (v) => v.toFixed(6)).join(" "),
    });
  }

  const request = env.frame(paint);

  function resize() {
    if (!data || root.clientWidth === 0) return;
    const full = Math.max(data.nQ, data.nK) * ROW;
    const height = Math.min(TALLEST, full);
    const dpr = devicePixelRatio || 1;
    box.style.height = `${height}px`;
    spacer.style.height = `${full}px`;
    const width = box.clientWidth;
    canvas.width = Math.round(width * dpr);
    canvas.height = Math.round(height * dpr);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    paint();
  }

  const at = (event: PointerEvent) => {
    const bounds = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top + box.scrollTop];
    const i = Math.floor(y / ROW);
    const [left, right] = columns(box.clientWidth);
    if (!data) return { query: null, key: null };
    return { query: x < left && i < data.nQ ? i : null, key: x > right && i < data.nK ? i : null };
  };
  listen(box, "pointermove", (event) => {
    const { query, key: k } = at(event);
    box.style.cursor = query === null ? "" : "pointer";
    if (query === hovered && k === key) return;
    hovered = query;
    key = k;
    request();
  });
  listen(box, "pointerleave", () => {
    hovered = key = null;
    request();
  });
  listen(box, "click", (event) => {
    const { query } = at(event as PointerEvent);
    if (query === null) selected.clear();
    else toggle(query);
    request();
  });
  function toggle(query: number) {
    active = query;
    if (!selected.delete(query)) selected.add(query);
  }
  listen(box, "keydown", (event) => {
    if (!data) return;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    const end = { Home: 0, End: data.nQ - 1 }[event.key];
    if (by !== undefined || end !== undefined) {
      active = Math.min(data.nQ - 1, Math.max(0, end ?? active + (by ?? 0)));
      const top = active * ROW;
      if (top < box.scrollTop) box.scrollTop = top;
      if (top + ROW > box.scrollTop + box.clientHeight)
        box.scrollTop = top + ROW - box.clientHeight;
    } else if (event.key === " " || event.key === "Enter") toggle(active);
    else if (event.key === "Escape" && selected.size) selected.clear();
    else return;
    keyboard = true;
    hovered = null;
    event.preventDefault();
    event.stopPropagation();
    request();
  });
  listen(box, "focus", () => {
    keyboard = box.matches(":focus-visible");
    request();
  });
  listen(box, "blur", () => {
    keyboard = false;
    request();
  });
  listen(box, "scroll", request, { passive: true });

  store.subscribe((change) => {
    const names = ["kind", "layer", "layers", "tokens", "key_tokens"];
    if (change.all || names.some((name) => change.names.has(name))) void load();
    else if (change.rows.size || change.names.has("shown")) arrange();
  }, signal);
  theme.subscribe(show, signal);
  watchDensity(resize, env);
  let width = 0;
  env.onResize([root], () => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    resize();
  });
  void load();
}
