/** The maps of a report side by side: what a function returned, what is right, and the difference. */
import { type Lut, lut, signedLut } from "../draw/color";
import { mapBlock } from "../draw/matrix/block";
import { type Place, READ_ONLY } from "../draw/matrix/gestures";
import { createMatrix } from "../draw/matrix/matrix";
import type { Palette } from "../draw/palette";
import { number } from "../explain/numbers";
import { visible } from "../explain/tokens";
import { largest } from "../maths/extent";
import type { Store } from "../state/store";
import { text } from "../ui/dom";
import type { Scope } from "../ui/scope";
import { decode, type Flat } from "../wire/codec";
import type { Report } from "../wire/schema";

/** One of the maps side by side: what is coloured, and how. */
export interface Picture {
  name: string;
  note: string;
  data: Flat;
  share(at: number): number | null;
  table: Lut;
  signed: boolean;
}

const ROOM = 264;

/** What is right; and where the function returned weights, those and the difference. */
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
  const off = Float32Array.from(got, (value, i) => value - expected[i]);
  const most = largest(off.map((d) => (Number.isFinite(d) ? Math.abs(d) : 0)));
  return [
    {
      name: "got",
      note: report.kind === "mistake" ? "with the mistake" : "what it returned",
      data: got,
      share: (at) => finite(got[at]),
      table: weights,
      signed: got.some((value) => value < 0),
    },
    right,
    {
      name: "difference",
      note: `got − right, colours ± ${number(most)}`,
      data: off,
      share: (at) => {
        const d = finite(off[at]);
        return d === null ? null : 0.5 + (most > 0 ? d / most / 2 : 0);
      },
      table: signedLut(isDark),
      signed: true,
    },
  ];
}

/** A map that says its cells in `readout`. Its labels are the widget's tokens where the report is of the widget's own inputs. */
export function reportMap(
  store: Store,
  report: Report,
  picture: Picture,
  readout: HTMLElement,
  scope: Scope,
  colors: Palette,
): HTMLElement {
  const [rows, cols] = report.expected.shape;
  const own = report.case === "given" && rows === store.nQ && cols === store.nK;
  const places = (n: number) => Array.from({ length: n }, (_, i) => String(i));
  const queries = own ? store.tokens : places(rows);
  const keys = own ? store.keyTokens : places(cols);
  const value = (r: number, c: number) => picture.data[r * cols + c];
  const say = ([r, c]: Place) =>
    `${picture.name} ${visible(queries[r])} → ${visible(keys[c])}: ${number(value(r, c))}`;
  const show = (place: Place | null) => {
    if (!place) return;
    made.activate(place);
    made.say(say(place));
    made.light({ rows: [], cols: [], cells: [place] }, false);
    text(readout, say(place));
  };
  const made = createMatrix(
    picture.name,
    false,
    {
      ...READ_ONLY,
      hover: show,
      reach: show,
      click: show,
      undo: (redo) => (redo ? store.redo() : store.undo()),
      leave: () => made.grid.blur(),
    },
    scope,
  );
  made.place(mapBlock(rows, cols, ROOM));
  made.describe(`${picture.name}, ${rows} by ${cols}`, {
    title: picture.name,
    shape: `${rows}×${cols}`,
    note: picture.note,
    hand: false,
    mistake: "",
  });
  const sizes = picture.data.map((v) => (Number.isFinite(v) ? Math.abs(v) : 0));
  made.paint(
    {
      share: (r, c) => picture.share(r * cols + c),
      value,
      table: picture.table,
      largest: Math.min(99, largest(sizes, 1)),
      signed: picture.signed,
      marked: () => false,
      queries,
      keys,
    },
    colors,
  );
  return made.element;
}

/** What is no number, or infinite, is drawn like a masked cell: it has no colour. */
const finite = (value: number) => (Number.isFinite(value) ? value : null);
