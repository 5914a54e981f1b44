/** Every layer and head at once: small maps, ordered and filtered by what a head does. */

import type { Card, View } from "../../card/view";
import { type Lut, lut } from "../../draw/color";
import { palette } from "../../draw/palette";
import { number } from "../../explain/numbers";
import { fill, h, text } from "../../ui/dom";
import { createControls } from "./controls";
import { type Head, select, statisticOf } from "./data";
import { createSeries } from "./series";

const LARGEST = 132;
const SMALLEST = 22;
/** Below this a thumbnail has no room for its number: it is said on hover and to a screen reader. */
const ROOM_FOR_WORDS = 44;
const GAP = 5;

export const view: View = {
  name: "grid",
  label: "Grid",
  needs: [],
  parts: [],
  // A single map needs no overview.
  isOffered: (store) => store.nHeads > 1 || store.layers.length > 1,
  mount: createGrid,
};

function createGrid(parent: HTMLElement, card: Card): void {
  const { store, signal, listen, guarded, theme } = card;
  const status = h("p", { class: "aw-where", role: "status" });
  const list = h("div", { class: "aw-grid-heads", role: "grid", "aria-label": "heads" });
  const large = h("div", { class: "aw-grid-large", hidden: true });
  const root = h("div", { class: "aw-heads-grid" });
  const controls = createControls(() => draw(), card);
  const series = createSeries(store, card, () => draw());
  root.append(controls.element, series.element, status, list, large);
  parent.append(root);
  let active = 0;
  let shown: Head[] = [];
  let { kind } = store.shown;
  const canvases = new Map<Head, HTMLCanvasElement>();

  function open(head: Head) {
    if (store.set("layer", head.layer) && store.set("head", head.head))
      store.set("view", card.previous());
  }

  /** A head's map, painted once: a pixel a cell. */
  function picture(head: Head, table: Lut): HTMLCanvasElement {
    const known = canvases.get(head);
    if (known) return known;
    const { rows, cols, map } = head;
    const canvas = h("canvas", { width: cols, height: rows });
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    const image = context.createImageData(cols, rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < rows * cols; i++) {
      const c = (map[i] as number) * 3;
      // Bytes lie red, green, blue, alpha in memory.
      pixels[i] =
        (255 << 24) |
        ((table[c + 2] as number) << 16) |
        ((table[c + 1] as number) << 8) |
        (table[c] as number);
    }
    context.putImageData(image, 0, 0);
    canvases.set(head, canvas);
    return canvas;
  }

  function draw() {
    const all = series.heads;
    root.setAttribute("aria-busy", String(series.busy));
    const table = lut(store.get("cmap"));
    const { order, statistic, sink, least } = controls.state;
    controls.offer(all);
    shown = select(all, { order, statistic, sink, least });
    const columns =
      order === "layer" ? Math.max(1, ...store.layers.map((layer) => layer.n_heads)) : 0;
    const width = root.clientWidth || 900;
    const short = width < 520;
    const labels = columns ? (short ? 22 : 58) : 0;
    const fit = columns
      ? (width - labels - GAP * columns) / columns
      : Math.min(LARGEST, Math.max(84, width / 12 - GAP));
    const side = Math.floor(Math.min(LARGEST, Math.max(SMALLEST, fit)));
    list.style.setProperty("--aw-thumb", `${side}px`);
    list.classList.toggle("aw-by-layer", columns > 0);
    list.classList.toggle("aw-wordless", side < ROOM_FOR_WORDS);
    list.style.gridTemplateColumns = columns
      ? `${labels - GAP}px repeat(${columns}, ${side}px)`
      : "";
    active = Math.max(0, shown.findIndex(isCurrent));
    const cells: HTMLElement[] = [];
    let layer: number | null = null;
    const doubted = store.layers.filter(({ proved }) => proved === false);
    const wrong = new Set(doubted.map(({ index }) => index));
    shown.forEach((head, i) => {
      if (columns && head.layer !== layer) {
        layer = head.layer;
        const name = short ? `${layer}` : `layer ${layer}`;
        const label = wrong.has(layer) ? `${name} ⚠` : name;
        cells.push(h("span", { class: "aw-layer-name" }, label));
      }
      cells.push(thumb(head, i, table, columns));
    });
    const focused = list.querySelector<HTMLElement>(".aw-thumb:focus")?.dataset;
    list.replaceChildren(...cells);
    if (focused) {
      const [layer, head] = [focused.layer, focused.head];
      const same = `.aw-thumb[data-layer="${layer}"][data-head="${head}"]`;
      list.querySelector<HTMLElement>(same)?.focus({ preventScroll: true });
    }
    list.setAttribute("aria-rowcount", String(columns ? store.layers.length : 1));
    root.dataset.heads = String(shown.length);
    const of = `${shown.length} of ${all.length} heads`;
    text(status, all.length ? `${of}, coloured by √weight, each up to its own largest` : "");
  }

  function start() {
    kind = store.shown.kind;
    canvases.clear();
    hide();
    series.start();
    draw();
  }

  const isCurrent = (head: Head) =>
    head.layer === store.shown.layer && head.head === store.shown.head;

  function thumb(head: Head, i: number, table: Lut, columns: number): HTMLElement {
    const { statistic, sink } = controls.state;
    const value = statisticOf(head, statistic, sink);
    const says = value === null ? "no value" : number(value);
    const name = `layer ${head.layer}, head ${head.head}`;
    const button = h("button", {
      type: "button",
      class: "aw-thumb",
      "aria-label": `${name}, ${statistic} ${says}`,
      "data-layer": head.layer,
      "data-head": head.head,
      "data-value": value,
      tabindex: i === active ? 0 : -1,
    });
    if (isCurrent(head)) button.setAttribute("aria-current", "true");
    if (columns) button.style.gridColumn = String(head.head + 2);
    button.append(
      picture(head, table),
      h("span", {}, columns ? `${head.head}` : `${head.layer}·${head.head}`, h("i", {}, says)),
    );
    button.addEventListener(
      "click",
      guarded(() => open(head)),
    );
    button.addEventListener(
      "pointerenter",
      guarded(() => enlarge(head, button)),
    );
    button.addEventListener(
      "focus",
      guarded(() => button.matches(":focus-visible") && enlarge(head, button)),
    );
    button.addEventListener("pointerleave", guarded(hide));
    button.addEventListener("blur", guarded(hide));
    return button;
  }

  const hide = () => {
    large.hidden = true;
  };

  /** The map large, with all that is known of the head, beside the thumbnail and inside the card. */
  function enlarge(head: Head, by: HTMLElement) {
    const { sink } = controls.state;
    fill(
      large,
      `${head.layer} ${head.head} ${series.heads.length} ${sink} ${store.get("cmap")}`,
      () => {
        const copy = h("canvas", { width: head.cols, height: head.rows });
        copy.getContext("2d")?.drawImage(picture(head, lut(store.get("cmap"))), 0, 0);
        const rows = Object.keys(head.statistics).map((name) => {
          const value = statisticOf(head, name, sink);
          return h(
            "div",
            {},
            h("span", {}, name),
            h("b", {}, value === null ? "–" : number(value)),
          );
        });
        return [
          h("h4", {}, `layer ${head.layer}, head ${head.head}`),
          copy,
          h(
            "div",
            { class: "aw-facts" },
            ...rows,
            h("div", {}, h("span", {}, "largest"), h("b", {}, number(head.peak))),
          ),
        ];
      },
    );
    large.hidden = false;
    const [card, box] = [root.getBoundingClientRect(), by.getBoundingClientRect()];
    const right = box.right - card.left + 8;
    const fits = right + large.offsetWidth <= card.width;
    const left = fits ? right : Math.max(0, box.left - card.left - large.offsetWidth - 8);
    const top = Math.min(box.top - card.top, Math.max(0, card.height - large.offsetHeight));
    large.style.left = `${left}px`;
    large.style.top = `${Math.max(0, top)}px`;
  }

  listen(list, "keydown", (event) => {
    const buttons = [...list.querySelectorAll<HTMLElement>(".aw-thumb")];
    const at = buttons.indexOf(event.target as HTMLElement);
    const across = Math.max(1, buttons.filter((b) => b.offsetTop === buttons[0]?.offsetTop).length);
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    const next =
      event.key === "Home" ? 0 : event.key === "End" ? buttons.length - 1 : at + (by ?? Number.NaN);
    const target = buttons[next];
    if (at < 0 || !target) return;
    event.preventDefault();
    event.stopPropagation();
    (event.target as HTMLElement).tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  });

  store.subscribe((change) => {
    // Another text or other numbers: every head may be another. A masked cell is one head's what-if.
    const other =
      kind !== store.shown.kind || ["layers", "tokens"].some((name) => change.names.has(name));
    // Another layer or head brings other inputs too, and every head stays as it was.
    const moved = change.names.has("shown") && !change.names.has("history");
    if (other || (change.inputs && !moved)) start();
    else if (change.names.has("cmap")) {
      canvases.clear();
      draw();
    } else if (change.names.has("shown") || change.names.has("head")) draw();
  }, signal);
  theme.subscribe(draw, signal);
  let width = 0;
  card.onResize([root], () => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    draw();
  });
  palette(root);
  start();
}
