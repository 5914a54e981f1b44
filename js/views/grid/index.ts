/** Small maps of every layer and head, ordered and filtered by a statistic. */
import type { Card, View } from "../../card/view";
import { createCanvasView } from "../../draw/canvas-view";
import { type Lut, lut } from "../../draw/color";
import { h, text } from "../../ui/dom";
import { createControls } from "./controls";
import { type Head, select } from "./data";
import { listenToArrows } from "./keyboard";
import { createLarge } from "./large";
import { createSeries } from "./series";
import { createThumbs, thumbButton } from "./thumbs";

const LARGEST = 132;
const SMALLEST = 22;
/** Narrower thumbnails have no room for a number: the large map shows the number, and a screen reader reads it. */
const ROOM_FOR_WORDS = 44;
const GAP = 5;

export const view: View = {
  name: "grid",
  label: "Grid",
  needs: [],
  parts: ["edits", "lab"],
  unavailable: (store) =>
    store.nHeads > 1 || store.layers.length > 1 ? "" : "a single map needs no overview",
  mount: createGrid,
};

function createGrid(parent: HTMLElement, card: Card): void {
  const { store, guarded } = card;
  const status = h("p", { class: "aw-where", role: "status" });
  const list = h("div", { class: "aw-grid-heads", role: "grid", "aria-label": "heads" });
  const root = h("div", { class: "aw-heads-grid" });
  const large = createLarge(root);
  const thumbs = createThumbs();
  const controls = createControls(() => picture.open(), card);
  const series = createSeries(store, card, renew);
  let { kind } = store.shown;
  let width = 0;
  root.append(controls.element, series.element, status, list, large.element);
  parent.append(root);

  function renew() {
    root.setAttribute("aria-busy", String(series.busy));
    picture.open();
  }

  function paint() {
    const all = series.heads;
    controls.offer(all);
    const selected = select(all, controls.state);
    const isByLayer = controls.state.order === "layer";
    const headsOfLayer = Math.max(1, ...store.layers.map((layer) => layer.n_heads));
    const columns = isByLayer ? headsOfLayer : 0;
    arrangeList(list, width, columns);
    const rows = rowsOf(selected, columns);
    const focused = list.querySelector<HTMLElement>(".aw-thumb:focus")?.dataset;
    list.replaceChildren(...rows);
    if (focused) {
      const [layer, head] = [focused.layer, focused.head];
      const same = `.aw-thumb[data-layer="${layer}"][data-head="${head}"]`;
      list.querySelector<HTMLElement>(same)?.focus({ preventScroll: true });
    }
    root.dataset.heads = String(selected.length);
    const count = `${selected.length} of ${all.length} heads`;
    text(status, all.length ? `${count}, coloured by √weight, up to the largest of each head` : "");
  }

  /** The rows of the grid: a row for each layer under a row of headings, or one row of all heads for 0 columns. */
  function rowsOf(heads: readonly Head[], columns: number): HTMLElement[] {
    const table = lut(store.get("cmap"));
    const active = Math.max(0, heads.findIndex(isCurrent));
    const cells = heads.map((head, i) => {
      const button = thumb(head, table, columns);
      button.tabIndex = i === active ? 0 : -1;
      return { head, cell: h("div", { role: "gridcell" }, button) };
    });
    if (!columns) return [row(...cells.map(({ cell }) => cell))];
    for (const { head, cell } of cells) cell.style.gridColumn = String(head.head + 2);
    const layers = new Map(store.layers.map((layer) => [layer.index, layer]));
    const byLayer = [...new Set(heads.map(({ layer }) => layer))].map((index) => {
      const ofLayer = cells.filter(({ head }) => head.layer === index).map(({ cell }) => cell);
      const name = isShort(width) ? `${index}` : `layer ${index}`;
      const label = layers.get(index)?.proved === false ? `${name} ⚠` : name;
      const attributes = {
        role: "rowheader",
        class: "aw-layer-name",
        "aria-label": `layer ${index}`,
      };
      return row(h("div", attributes, label), ...ofLayer);
    });
    const headings = Array.from({ length: columns }, (_, head) =>
      h("div", { role: "columnheader", "aria-label": `head ${head}` }, `${head}`),
    );
    const corner = { role: "columnheader", class: "aw-layer-name" };
    return [row(h("div", corner, isShort(width) ? "" : "head"), ...headings), ...byLayer];
  }

  const isCurrent = (head: Head) =>
    head.layer === store.shown.layer && head.head === store.shown.head;

  function thumb(head: Head, table: Lut, columns: number): HTMLElement {
    const canvas = thumbs.of(head, table);
    const button = thumbButton(head, canvas, controls.state, columns > 0);
    if (isCurrent(head)) button.setAttribute("aria-current", "true");
    const open = () => {
      if (store.set("layer", head.layer) && store.set("head", head.head))
        store.set("view", card.previous());
    };
    const enlarge = () => {
      const { sink } = controls.state;
      const key = [head.layer, head.head, series.heads.length, sink, store.get("cmap")].join(" ");
      large.show(key, head, canvas, sink, button);
    };
    button.addEventListener("click", guarded(open));
    button.addEventListener("pointerenter", guarded(enlarge));
    const isByKey = () => button.matches(":focus-visible");
    button.addEventListener(
      "focus",
      guarded(() => isByKey() && enlarge()),
    );
    button.addEventListener("pointerleave", guarded(large.hide));
    button.addEventListener("blur", guarded(large.hide));
    return button;
  }

  const arrange = (room: number) => {
    width = room;
    return true;
  };
  const picture = createCanvasView(root, { arrange, paint }, card);

  function start() {
    kind = store.shown.kind;
    thumbs.forget();
    large.hide();
    series.start();
    renew();
  }

  listenToArrows(list, card);
  store.subscribe((change) => {
    // Ask for every head again when the text or the layers have changed; a masked cell changes only the shown head.
    const isOtherText =
      kind !== store.shown.kind || ["layers", "tokens"].some((name) => change.names.has(name));
    // The inputs also change when another layer or head is shown, but the heads stay the same.
    const isOtherHead = change.names.has("shown") && !change.names.has("history");
    if (isOtherText || (change.inputs && !isOtherHead)) start();
    else if (change.names.has("cmap")) {
      thumbs.forget();
      picture.request();
    } else if (change.names.has("shown") || change.names.has("head")) picture.request();
  }, card.signal);
  start();
  picture.open();
}

const row = (...cells: HTMLElement[]) => h("div", { role: "row", class: "aw-grid-row" }, ...cells);

const isShort = (width: number) => width < 520;

/** Arrange the thumbnails in `columns` columns after the names of the layers; for 0, in as many columns as fit. */
function arrangeList(list: HTMLElement, width: number, columns: number): void {
  const labels = isShort(width) ? 22 : 58;
  const fit = columns
    ? (width - labels - GAP * columns) / columns
    : Math.min(LARGEST, Math.max(84, width / 12 - GAP));
  const side = Math.floor(Math.min(LARGEST, Math.max(SMALLEST, fit)));
  list.style.setProperty("--aw-thumb", `${side}px`);
  list.classList.toggle("aw-by-layer", columns > 0);
  list.classList.toggle("aw-wordless", side < ROOM_FOR_WORDS);
  list.style.gridTemplateColumns = columns ? `${labels - GAP}px repeat(${columns}, ${side}px)` : "";
}
