/** The maps of a report side by side: the returned weights, the right weights and the difference. */
import { type Lut, lut, signedLut } from "../draw/color";
import { mapBlock } from "../draw/matrix/block";
import { type Place, READ_ONLY } from "../draw/matrix/gestures";
import { createMatrix } from "../draw/matrix/matrix";
import type { Palette } from "../draw/palette";
import { number } from "../explain/numbers";
import { inText } from "../explain/tokens";
import { largestSize } from "../maths/extent";
import { shareOf } from "../state/scale";
import type { Store } from "../state/store";
import { text } from "../ui/dom";
import type { Scope } from "../ui/scope";
import { decode, type Flat } from "../wire/codec";
import type { Report } from "../wire/schema";

/** The numbers and the colours of one of these maps. */
export interface Picture {
  name: string;
  note: string;
  data: Flat;
  /** The place of a cell in the colour table, from 0 to 1; null for a cell without a colour. */
  share(at: number): number | null;
  table: Lut;
  signed: boolean;
}

const ROOM = 264;

/** The right weights; the returned weights and the difference too, if the function returned weights. */
export function pictures(report: Report, mask: Flat, cmap: string, isDark: boolean): Picture[] {
  const expected = decode(report.expected);
  const weights = lut(cmap);
  const right: Picture = {
    name: "right",
    note: "softmax by row",
    data: expected,
    share: (at) => (mask[at] ? null : expected[at]),
    table: weights,
    signed: false,
  };
  if (!report.got) return [right];
  const got = decode(report.got);
  const difference = Float32Array.from(got, (value, i) => value - expected[i]);
  const limit = largestSize(difference);
  return [
    {
      name: "got",
      note: report.kind === "mistake" ? "with the mistake" : "returned weights",
      data: got,
      share: (at) => finite(got[at]),
      table: weights,
      signed: got.some((value) => value < 0),
    },
    right,
    {
      name: "difference",
      note: `got − right, colours ± ${number(limit)}`,
      data: difference,
      share: (at) => finite(shareOf(difference[at], limit, "map", true)),
      table: signedLut(isDark),
      signed: true,
    },
  ];
}

/** A map that writes the active cell to `readout`. The labels are the widget's tokens if the report is about the widget's own inputs. */
export function reportMap(
  store: Store,
  report: Report,
  picture: Picture,
  readout: HTMLElement,
  scope: Scope,
  colors: Palette,
): HTMLElement {
  const [rows, cols] = report.expected.shape;
  const isOwnInputs = report.case === "given" && rows === store.nQ && cols === store.nK;
  const positions = (n: number) => Array.from({ length: n }, (_, i) => String(i));
  const queries = isOwnInputs ? store.tokens : positions(rows);
  const keys = isOwnInputs ? store.keyTokens : positions(cols);
  const value = (r: number, c: number) => picture.data[r * cols + c];
  const describe = ([r, c]: Place) =>
    `${picture.name} ${inText(queries[r])} → ${inText(keys[c])}: ${number(value(r, c))}`;
  const show = (place: Place | null) => {
    if (!place) return;
    map.activate(place);
    map.say(describe(place));
    map.light({ rows: [], cols: [], cells: [place] }, false);
    text(readout, describe(place));
  };
  const map = createMatrix(
    picture.name,
    false,
    {
      ...READ_ONLY,
      hover: show,
      reach: show,
      click: show,
      leave: () => map.grid.blur(),
    },
    scope,
  );
  map.place(mapBlock(rows, cols, ROOM));
  map.describe(`${picture.name}, ${rows} by ${cols}`, {
    title: picture.name,
    shape: `${rows}×${cols}`,
    note: picture.note,
    hand: false,
    mistake: "",
  });
  map.paint(
    {
      share: (r, c) => picture.share(r * cols + c),
      value,
      table: picture.table,
      largest: Math.min(99, Math.max(1, largestSize(picture.data))),
      signed: picture.signed,
      marked: () => false,
      queries,
      keys,
    },
    colors,
  );
  return map.element;
}

/** NaN and infinity become null, so that the cell has no colour, like a masked cell. */
const finite = (value: number) => (Number.isFinite(value) ? value : null);
