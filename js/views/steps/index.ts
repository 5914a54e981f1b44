/** All steps from X to the output as matrices; the user can change the numbers of X, the projections, Q, K and V. */
import { isVoid, toggleCells } from "../../card/edits";
import { createHeads } from "../../card/heads";
import type { Env, View } from "../../card/view";
import { createCanvasView } from "../../draw/canvas-view";
import { closeBox } from "../../draw/matrix/edit-box";
import { createFlasher } from "../../draw/matrix/flash";
import type { MatrixActions, Place } from "../../draw/matrix/gestures";
import type { MatrixName } from "../../explain/explain";
import type { Store } from "../../state/store";
import { h } from "../../ui/dom";
import { keepInView } from "../../ui/float";
import { giveFocusBack } from "../../ui/leave";
import type { Editable } from "../../wire/schema";
import { createChart } from "./chart";
import { editNumber } from "./edit";
import { createExplained } from "./explained";
import { isMap } from "./flow";
import { tablesOf } from "./looks";

/** Traits that change the picture, besides shapes and numbers. */
const PICTURE_TRAITS = [
  "cmap",
  "selection",
  "scale",
  "overridden",
  "init",
  "positional",
  "head",
  "report",
  "difference",
];

export const view: View = {
  name: "steps",
  label: "Steps",
  needs: ["Q", "K", "V"],
  parts: ["edits", "lab", "mistakes", "foot", "layer", "head"],
  keys: [
    ["drag", "a number"],
    ["type", "another"],
    ["↑↓", "in the box: step"],
    ["click", "masks"],
  ],
  mount(host, card) {
    const column = h("div", { class: "aw-steps-column" });
    host.append(column);
    createHeads(column, card.store, card);
    createSteps(column, card.store, card);
  },
};

function createSteps(parent: HTMLElement, store: Store, env: Env): void {
  const chart = createChart(store, actionsIn, env);
  const root = h("div", { class: "aw-steps" }, chart.element);
  parent.append(root);
  const explained = createExplained(root, store, chart, env);
  const keepPanel = keepInView(explained.element, root, explained.covered, env);
  const edits = editNumber(store, chart.matrix);
  let tables = tablesOf(store, env.theme.dark);
  let painted = 0;
  store.before.watch(env.signal);

  function actionsIn(name: MatrixName): MatrixActions {
    const at = ([row, col]: Place) => ({ name, row, col });
    return {
      hover(place) {
        explained.hover(place && at(place));
        // Another matrix must be free now, also where the panel keeps its size.
        keepPanel();
      },
      open(isRows, isCols) {
        chart.open(name, isRows, isCols);
        picture.relayout();
      },
      reach: (place) => explained.reach(at(place)),
      blur: explained.blur,
      click: (place, event) => click(name, place, event),
      cancel: store.abandon,
      drag(place, by, event) {
        if (by === null) store.settle();
        else {
          edits.drag(name as Editable, place, by, event);
          explained.pin(at(place));
        }
      },
      type: (place, firstText) => edits.type(name as Editable, place, firstText),
      leave: () => giveFocusBack(chart.matrix(name).grid),
    };
  }

  function click(name: MatrixName, [row, col]: Place, event: PointerEvent | null) {
    chart.matrix(name).grid.focus({ preventScroll: true });
    if (isMap(name)) {
      // A finger cannot hover: the first tap explains a cell, the second tap masks the cell.
      const { pinned } = explained;
      const isExplained = pinned.name === name && pinned.row === row && pinned.col === col;
      const masks = event?.pointerType !== "touch" || isExplained;
      if (masks && !isVoid(store, [row, col])) toggleCells(store, [[row, col]], [row, col]);
      store.set("selection", [row, col]);
      env.focus.set([row, col]);
    }
    explained.pin({ name, row, col });
  }

  const picture = createCanvasView(
    chart.element,
    {
      arrange(width) {
        if (!chart.arrange(width)) return false;
        explained.arrange();
        return true;
      },
      paint(colors) {
        chart.paint(tables, colors);
        root.dataset.painted = String(++painted);
        flasher.painted(colors.accent);
        explained.refresh();
        keepPanel();
      },
      themed() {
        tables = tablesOf(store, env.theme.dark);
      },
    },
    env,
  );
  const flasher = createFlasher(store, chart.flash, picture.request, env);
  store.subscribe(({ all, rows, names }) => {
    if (edits.isBoxGone) closeBox(root.closest(".aw-root"));
    if (names.has("cmap")) tables = tablesOf(store, env.theme.dark);
    if (names.has("selection")) explained.select();
    if (all || (names.has("selection") && chart.keepMarked())) picture.relayout();
    else if (rows.size || PICTURE_TRAITS.some((name) => names.has(name))) picture.request();
  }, env.signal);
  picture.open();
}
