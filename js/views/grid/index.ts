/** Small maps of every layer and head, ordered and filtered by a statistic. */
import type { Card, View } from "../../card/view";
import { createCanvasView } from "../../draw/canvas-view";
import { type Lut, lut } from "../../draw/color";
import { reachOf } from "../../state/knockouts";
import type { Change, Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import { createControls } from "./controls";
import { type Head, select } from "./data";
import { listenToArrows } from "./keyboard";
import { createLarge, PANEL } from "./large";
import { gridRows } from "./rows";
import { createSeries } from "./series";
import { createThumbs, thumbButton } from "./thumbs";

const LARGEST = 132;
const SMALLEST = 22;
/** Narrower thumbnails have no room for a number: the large map shows the number, and a screen reader reads it. */
const ROOM_FOR_WORDS = 44;
const GAP = 5;
const COLOURS = "coloured by √weight, up to the largest of each head";
const PALE = "; pale: the knock-outs change nothing there";
/** The width of the column beside the thumbnails, with its margin. */
const BESIDE = PANEL + 12;

export const view: View = {
  name: "grid",
  label: "Grid",
  needs: [],
  parts: ["edits", "lab", "mistakes"],
  unavailable: (store) =>
    store.nHeads > 1 || store.layers.length > 1 ? "" : "a single map needs no overview",
  mount: createGrid,
};

function createGrid(parent: HTMLElement, card: Card): void {
  const { store, guarded } = card;
  const status = h("p", { class: "aw-where", role: "status" });
  const list = h("div", { class: "aw-grid-heads", role: "grid", "aria-label": "heads" });
  const root = h("div", { class: "aw-heads-grid" });
  const large = createLarge(root, store);
  const thumbs = createThumbs();
  const controls = createControls(store, () => picture.open(), card);
  const series = createSeries(store, card, renew);
  let { stack } = store.shown;
  let width = 0;
  let version = 0;
  const line = h("div", { class: "aw-grid-line" }, series.element, status);
  root.append(controls.element, line, list, large.element);
  parent.append(root);

  function renew() {
    root.setAttribute("aria-busy", String(series.busy));
    picture.open();
  }

  function paint() {
    const all = series.heads;
    if (version !== series.version) large.forget();
    version = series.version;
    controls.offer(all);
    const selected = select(all, controls.state);
    const isByLayer = controls.state.order === "layer";
    const headsOfLayer = Math.max(1, ...store.layers.map((layer) => layer.n_heads));
    const columns = isByLayer ? headsOfLayer : 0;
    large.beside = hasRoomBeside(width, columns);
    arrangeList(list, large.beside ? width - BESIDE : width, columns);
    const table = lut(store.get("cmap"));
    const active = Math.max(0, selected.findIndex(isCurrent));
    const buttons = selected.map((head) => thumb(head, table, columns));
    buttons.forEach((button, i) => {
      button.tabIndex = i === active ? 0 : -1;
    });
    const rows = gridRows(selected, buttons, store.layers, columns, isShort(width));
    const focused = list.querySelector<HTMLElement>(".aw-thumb:focus")?.dataset;
    list.replaceChildren(...rows);
    if (focused) {
      const [layer, head] = [focused.layer, focused.head];
      const same = `.aw-thumb[data-layer="${layer}"][data-head="${head}"]`;
      list.querySelector<HTMLElement>(same)?.focus({ preventScroll: true });
    }
    // The column beside the heads is never empty: it begins with the head that other views show.
    if (large.beside && large.isHidden && buttons.length) {
      enlarge(selected[active], buttons[active]);
    }
    list.scrollLeft = (store.kept.get("grid scroll") as number | undefined) ?? 0;
    root.dataset.heads = String(selected.length);
    const count = `${selected.length} of ${all.length} heads`;
    const pale = selected.some(({ layer }) => isOutOfReach(store, layer)) ? PALE : "";
    text(status, `${count}, ${COLOURS}${pale}`);
  }

  const isCurrent = (head: Head) =>
    head.layer === store.shown.layer && head.head === store.shown.head;

  function enlarge(head: Head, button: HTMLButtonElement) {
    const { sink } = controls.state;
    const { dark } = card.theme;
    const at = [head.layer, head.head, series.version, sink, store.get("cmap"), dark];
    const canvas = thumbs.of(head, lut(store.get("cmap")));
    large.show(at.join(" "), head, canvas, sink, list, button);
  }

  function thumb(head: Head, table: Lut, columns: number): HTMLButtonElement {
    const canvas = thumbs.of(head, table);
    const isPale = isOutOfReach(store, head.layer);
    const button = thumbButton(head, canvas, controls.state, columns > 0, isPale);
    if (isCurrent(head)) button.setAttribute("aria-current", "true");
    const open = () => {
      if (store.set("layer", head.layer) && store.set("head", head.head))
        store.set("view", card.previous());
    };
    button.addEventListener("click", guarded(open));
    const enter = guarded(() => enlarge(head, button));
    button.addEventListener("pointerenter", enter);
    const isByKey = () => button.matches(":focus-visible");
    button.addEventListener(
      "focus",
      guarded(() => isByKey() && enlarge(head, button)),
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

  function start(isEdit = false) {
    stack = store.shown.stack;
    thumbs.forget();
    large.forget();
    series.start(isEdit);
    renew();
  }

  listenToArrows(list, card);
  card.listen(list, "scroll", () => store.kept.set("grid scroll", list.scrollLeft));
  store.subscribe((change) => {
    const old = outdated(store, change, stack !== store.shown.stack);
    if (old) start(old === "mask");
    else if (change.names.has("grid_order") || change.names.has("grid_statistic")) {
      controls.show();
      picture.open();
    } else if (change.names.has("cmap")) {
      thumbs.forget();
      picture.request();
    } else if (change.names.has("shown") || change.names.has("head")) picture.request();
  }, card.signal);
  start();
  picture.open();
}

/** Whether the knock-outs cannot change the maps of a layer. */
function isOutOfReach(store: Store, layer: number): boolean {
  const effect = store.get("effect");
  return effect !== null && reachOf(effect, store.shown.stack, layer) === "nowhere";
}

/** Return why every head is old after a change, so that the page asks Python again; null if the heads stay valid. */
function outdated(store: Store, change: Change, isOtherStack: boolean): "text" | "mask" | null {
  const { names } = change;
  // The inputs also change when another layer or head is shown, but the heads stay the same.
  const isOtherHead = names.has("shown") && !names.has("history");
  if (isOtherStack || names.has("layers") || names.has("tokens")) return "text";
  if (store.isOtherRun(names)) return "mask";
  if (change.inputs && !isOtherHead) return "text";
  // The heads of a sentence share the mask and the mistake; the mask of a model's head is its own.
  return store.stackedHeads > 1 && (change.rows.size || names.has("report")) ? "mask" : null;
}

/** The room of a thumbnail in a list of this width; the first column has the names of the layers. */
const fitOf = (width: number, columns: number) =>
  (width - labelsOf(width) - GAP * columns) / columns;

const labelsOf = (width: number) => (isShort(width) ? 22 : 58);

/** Whether the large map has room beside thumbnails that keep their numbers. */
const hasRoomBeside = (width: number, columns: number) =>
  width >= 760 && (columns === 0 || fitOf(width - BESIDE, columns) >= ROOM_FOR_WORDS);

const isShort = (width: number) => width < 520;

/** Arrange the thumbnails in `columns` columns after the names of the layers; for 0, in as many columns as fit. */
function arrangeList(list: HTMLElement, width: number, columns: number): void {
  const fit = columns ? fitOf(width, columns) : Math.min(LARGEST, Math.max(84, width / 12 - GAP));
  const side = Math.floor(Math.min(LARGEST, Math.max(SMALLEST, fit)));
  list.style.setProperty("--aw-thumb", `${side}px`);
  list.classList.toggle("aw-by-layer", columns > 0);
  list.classList.toggle("aw-wordless", side < ROOM_FOR_WORDS);
  list.style.gridTemplateColumns = columns
    ? `${labelsOf(width) - GAP}px repeat(${columns}, ${side}px)`
    : "";
}
