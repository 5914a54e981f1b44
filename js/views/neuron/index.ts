/** One query against every key: q, k, their product number by number, the score, the weight, the value. */

import type { Env, View } from "../../card/view";
import { signedLut } from "../../draw/color";
import { palette } from "../../draw/palette";
import { opening } from "../../explain/cell";
import { explainScore, explainWeight } from "../../explain/explain";
import { visible } from "../../explain/tokens";
import type { Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import type { Matrix } from "../../wire/codec";
import { watchDensity } from "../heatmap/density";
import { columnsOf, paintNeuron, ROW, type Scene, strip } from "./paint";

const TALLEST = 560;

export const view: View = {
  name: "neuron",
  label: "Neuron",
  needs: ["Q", "K", "V"],
  parts: ["layer", "head"],
  mount: (host, card) => createNeuron(host, card.store, card),
};

function createNeuron(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, listen, theme } = env;
  const select = h("select", { "aria-label": "query" });
  const head = h("canvas", { class: "aw-neuron-head" });
  const canvas = h("canvas", {});
  const spacer = h("div", { class: "aw-line-space" }, canvas);
  const id = `aw-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const option = h("div", { role: "option", id });
  const box = h(
    "div",
    { class: "aw-lines", role: "listbox", tabindex: 0 },
    spacer,
    h("div", { class: "aw-gridrow" }, option),
  );
  box.setAttribute("aria-label", "keys");
  box.setAttribute("aria-activedescendant", id);
  const lines = h("div", { class: "aw-formula", role: "status" });
  const root = h("div", { class: "aw-neuron" });
  root.append(
    h(
      "label",
      { class: "aw-field" },
      h("span", {}, "query"),
      select,
      h("span", { class: "aw-where" }, "click a key to make it the query"),
    ),
    head,
    box,
    lines,
  );
  parent.append(root);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const top = head.getContext("2d") as CanvasRenderingContext2D;
  let [query, active] = start();
  let hovered: number | null = null;
  let focused = false;
  let painted = 0;

  function start(): [number, number] {
    const selection = store.get("selection");
    const inside = selection && selection[0] < store.nQ && selection[1] < store.nK;
    const [q, k] = inside ? selection : opening(store);
    return [q, k];
  }

  const norm = (m: Matrix, row: number) => {
    let sum = 0;
    for (let c = 0; c < m.cols; c++) sum += (m.data[row * m.cols + c] as number) ** 2;
    return Math.sqrt(sum);
  };

  function scene(): Scene | null {
    const [Q, K, V, scores] = (["Q", "K", "V", "scores"] as const).map((name) =>
      store.matrix(name),
    );
    if (!Q || !K || !V || !scores) return null;
    query = Math.min(query, Q.rows - 1);
    active = Math.min(active, K.rows - 1);
    const n = K.rows;
    const { attention, mask } = store;
    const each = (value: (k: number) => number) =>
      Float64Array.from({ length: n }, (_, k) => value(k));
    const score = each((k) => scores.data[query * n + k] as number);
    const p = each((k) => attention.data[query * n + k] as number);
    const norms = each((k) => norm(V, k));
    const weighted = each((k) => (p[k] as number) * (norms[k] as number));
    const largest = (values: Iterable<number>) => {
      let most = 0;
      for (const value of values) most = Math.max(most, Math.abs(value));
      return most;
    };
    let mostProduct = 0;
    for (let k = 0; k < n; k++) {
      for (let c = 0; c < Q.cols; c++) {
        const product = (Q.data[query * Q.cols + c] as number) * (K.data[k * K.cols + c] as number);
        mostProduct = Math.max(mostProduct, Math.abs(product));
      }
    }
    const column = (
      name: string,
      values: Float64Array,
      signed = false,
      most = largest(values),
    ) => ({ name, values, most, signed });
    const plain = !store.matrix("bias") && !store.get("softcap");
    return {
      query,
      Q,
      K,
      columns: [
        // Other scales, biases and softcaps have more to say than a heading holds: the lines below do.
        column(store.scale === Q.cols ** -0.5 && plain ? `q·k ÷ √${Q.cols}` : "score", score, true),
        column("softmax", p, false, 1),
        column("‖v‖", norms),
        column("p·‖v‖", weighted),
      ],
      masked: (k) => Boolean(mask[query * n + k]),
      keys: store.keyTokens,
      special: (k) => store.isSpecial("key", k),
      active: hovered ?? active,
      focused,
      scroll: box.scrollTop,
      width: box.clientWidth,
      height: box.clientHeight,
      table: signedLut(theme.dark),
      most: Math.max(largest(Q.data), largest(K.data)) || 1,
      mostProduct: mostProduct || 1,
    };
  }

  function paint() {
    const now = scene();
    if (!now || canvas.width === 0) return;
    const colors = palette(root);
    paintNeuron(context, now, colors);
    paintHead(now);
    say(now);
    Object.assign(root.dataset, { painted: ++painted, query, row: ROW });
  }

  /** The names of the columns, and above the keys' own strips the query's. */
  function paintHead(now: Scene) {
    const colors = palette(root);
    const at = columnsOf(now.width, now.columns.length);
    top.clearRect(0, 0, now.width, 60);
    top.font = `600 12px ${colors.font}`;
    top.fillStyle = colors.muted;
    top.textBaseline = "middle";
    top.textAlign = "right";
    top.fillText("q", at.token, 34);
    strip(
      top,
      at.k,
      22,
      at.strip,
      now.Q.cols,
      now.table,
      (c) => (now.Q.data[query * now.Q.cols + c] as number) / now.most,
    );
    top.fillStyle = colors.muted;
    top.textAlign = "left";
    // The full name where there is room for it, else its letters.
    const name = (x: number, full: string, short: string) =>
      top.fillText(top.measureText(full).width <= at.strip ? full : short, x, 10);
    name(at.k, "k, under the query's own q", "k");
    name(at.product, "q × k, number by number", "q×k");
    top.textAlign = "right";
    const width = (now.width - at.numbers) / now.columns.length;
    now.columns.forEach(({ name }, i) => {
      top.fillText(name, at.numbers + (i + 1) * width - 6, i % 2 ? 34 : 10);
    });
  }

  function say(now: Scene) {
    const key = now.active;
    const said = [
      ...explainScore(store, query, key).lines,
      ...explainWeight(store, query, key).lines,
    ];
    lines.replaceChildren(...said.map((line) => h("div", {}, line)));
    const values = now.columns.map(
      ({ name, values }) => `${name} ${(values[key] as number).toFixed(6)}`,
    );
    text(
      option,
      `${visible(store.tokens[query] as string)} → ${visible(store.keyTokens[key] as string)}: ${values.join(", ")}`,
    );
    Object.assign(root.dataset, {
      key,
      values: now.columns.map(({ values }) => values[key]).join(" "),
    });
  }

  const request = env.frame(paint);

  function resize() {
    if (root.clientWidth === 0) return;
    const full = store.nK * ROW;
    const height = Math.min(TALLEST, full);
    const dpr = devicePixelRatio || 1;
    box.style.height = `${height + 2}px`;
    spacer.style.height = `${full}px`;
    const width = box.clientWidth;
    for (const [each, tall, context_] of [
      [canvas, height, context],
      [head, 44, top],
    ] as const) {
      each.width = Math.round(width * dpr);
      each.height = Math.round(tall * dpr);
      each.style.width = `${width}px`;
      each.style.height = `${tall}px`;
      context_.setTransform(dpr, 0, 0, dpr, 0, 0);
    }
    paint();
  }

  function list() {
    const names = JSON.stringify(store.tokens);
    if (select.dataset.names !== names) {
      select.dataset.names = names;
      select.replaceChildren(
        ...store.tokens.map((token, q) => h("option", { value: q }, `${q} ${visible(token)}`)),
      );
    }
    select.value = String(query);
  }

  function choose(q: number, k: number) {
    query = Math.min(store.nQ - 1, Math.max(0, q));
    active = Math.min(store.nK - 1, Math.max(0, k));
    store.set("selection", [query, active]);
    list();
    request();
  }

  const keyAt = (event: MouseEvent) => {
    const y = event.clientY - canvas.getBoundingClientRect().top + box.scrollTop;
    const key = Math.floor(y / ROW);
    return key >= 0 && key < store.nK ? key : null;
  };
  listen(select, "change", () => choose(Number(select.value), active));
  listen(box, "pointermove", (event) => {
    const key = keyAt(event);
    if (key === hovered) return;
    hovered = key;
    request();
  });
  listen(box, "pointerleave", () => {
    hovered = null;
    request();
  });
  listen(box, "click", (event) => {
    const key = keyAt(event);
    // Of other texts' keys none is a query.
    if (key !== null) choose(store.get("key_tokens") ? query : key, key);
  });
  listen(box, "keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by !== undefined) choose(query, active + by);
    else if (turn !== undefined) choose(query + turn, active);
    else return;
    event.preventDefault();
    event.stopPropagation();
    hovered = null;
    if (active * ROW < box.scrollTop) box.scrollTop = active * ROW;
    const bottom = (active + 1) * ROW - box.clientHeight;
    if (bottom > box.scrollTop) box.scrollTop = bottom;
  });
  for (const kind of ["focus", "blur"] as const) {
    listen(box, kind, () => {
      focused = kind === "focus" && box.matches(":focus-visible");
      request();
    });
  }
  listen(box, "scroll", request, { passive: true });

  store.subscribe((change) => {
    if (change.names.has("selection")) [query, active] = start();
    if (change.all) resize();
    if (change.all || change.names.has("selection")) list();
    if (change.all || change.rows.size || change.names.has("selection")) request();
  }, signal);
  theme.subscribe(request, signal);
  watchDensity(resize, env);
  let width = 0;
  env.onResize([root], () => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    resize();
  });
  list();
  resize();
}
