/** The three maps of a comparison (A, B and B − A), each with gaps and a colour bar. */
import { contextOf } from "../../draw/canvas-view";
import { cssColor, type Lut, lut, signedLut } from "../../draw/color";
import { type Block, TITLE } from "../../draw/matrix/block";
import type { MatrixActions, Place } from "../../draw/matrix/gestures";
import { createMatrix, type MatrixView } from "../../draw/matrix/matrix";
import { LABEL, type Look } from "../../draw/matrix/paint";
import type { Palette } from "../../draw/palette";
import { number } from "../../explain/numbers";
import { largest } from "../../maths/extent";
import type { Comparison, Pair } from "../../state/comparison";
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";
import { blocks } from "./blocks";

/** The index of a map: A, B, or the difference. */
type Side = 0 | 1 | 2;
const SIDES: readonly Side[] = [0, 1, 2];
/** The sides that a map depends on. */
const sidesOf = (side: Side) => (side === 2 ? [0, 1] : [side]);

export function createMap(name: string, actions: Omit<MatrixActions, "leave">, scope: Scope) {
  const leave = () => matrix.grid.blur();
  const matrix: MatrixView = createMatrix(name, false, { ...actions, leave }, scope);
  const gaps = h("div", { class: "aw-gaps" });
  const bar = h("div", { class: "aw-compare-bar" });
  matrix.grid.append(gaps);
  matrix.element.append(bar);
  return { ...matrix, gaps, bar };
}

export type ComparedMap = ReturnType<typeof createMap>;

/** Paint the maps into `width` CSS pixels. */
export function paintMaps(
  maps: readonly ComparedMap[],
  store: Comparison,
  width: number,
  isDark: boolean,
  colors: Palette,
): void {
  const { get } = store;
  const [rows, columns] = [get("rows"), get("columns")];
  const context = contextOf(h("canvas"));
  context.font = `${LABEL}px ${colors.font}`;
  const widest = (pairs: readonly Pair[]) =>
    largest(pairs.map(([, , label]) => context.measureText(label).width));
  const placed = blocks(width, rows.length, columns.length, widest(rows), widest(columns));
  for (const side of SIDES) {
    const map = maps[side];
    const block = placed[side];
    const table = side === 2 ? signedLut(isDark) : lut(get("cmap"));
    const [title, note] = get("labels")[side];
    map.place(block);
    map.describe(`${title}: ${note}`, { title, shape: "", note, hand: false, mistake: "" });
    map.paint(lookOf(store, side, table, block), colors);
    paintGaps(map, store, side, block);
    paintBar(map, store, side, table, block);
  }
}

function lookOf(store: Comparison, side: Side, table: Lut, block: Block): Look {
  const { get } = store;
  const { a, b, masked, difference } = store.maps;
  const values = [a, b, difference][side];
  const [largestWeight, largestDifference] = get("peaks");
  const columns = get("columns");
  const m = columns.length;
  const step = Math.ceil((LABEL + 2) / block.cw);
  const value = (r: number, c: number) => values[r * m + c] || 0;
  return {
    share(r, c) {
      if (sidesOf(side).every((of) => masked[of]?.[r * m + c])) return null;
      const v = value(r, c);
      return side === 2 ? 0.5 + (v && v / largestDifference / 2) : v && v / largestWeight;
    },
    value: (r, c) => Math.round(value(r, c) * 100) / 100 || 0,
    table,
    largest: 1,
    signed: side === 2,
    exact: true,
    marked: () => false,
    queries: get("rows").map(([, , label]) => label),
    keys: columns.map(([, , label]) => label),
    keyStep: step,
  };
}

/** Draw a gap across the map where a side does not have a token. */
function paintGaps({ gaps }: ComparedMap, { get }: Comparison, side: Side, block: Block): void {
  const lines = (pairs: readonly Pair[], start: string, size: string) =>
    pairs.flatMap((pair, at) => {
      const share = 100 / pairs.length;
      const style = `${start}:${at * share}%;${size}:${share}%`;
      return sidesOf(side).some((of) => pair[of] === null) ? h("i", { style }) : [];
    });
  gaps.style.inset = `${block.top - TITLE}px 0 2px ${block.left}px`;
  gaps.replaceChildren(
    ...lines(get("rows"), "top", "height"),
    ...lines(get("columns"), "left", "width"),
  );
}

function paintBar(
  { bar }: ComparedMap,
  { get }: Comparison,
  side: Side,
  table: Lut,
  block: Block,
): void {
  const [largestWeight, largestDifference] = get("peaks");
  const stops = [...Array(17).keys()].map((at) => cssColor(table, at / 16));
  const ends = side === 2 ? [-largestDifference, 0, largestDifference] : [0, largestWeight];
  bar.replaceChildren(...ends.map((end) => h("span", {}, number(end))));
  bar.style.cssText = `margin-left:${block.left}px;--aw-ramp:${stops}`;
}

/** The first of these places that is on the map. */
export function markedPlace(
  { get }: Comparison,
  places: readonly (Place | null | undefined)[],
): Place {
  const isHere = (place: Place | null | undefined): place is Place =>
    Boolean(place && get("rows")[place[0]] && get("columns")[place[1]]);
  return places.find(isHere) ?? [0, 0];
}
