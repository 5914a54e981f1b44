/** A checked function, or a mistake switched on: what it gives, what is right, and what breaks. */

import { type Lut, lut, signedLut } from "../draw/color";
import { mapBlock } from "../draw/matrix/block";
import { type Place, READ_ONLY } from "../draw/matrix/gestures";
import { createMatrix } from "../draw/matrix/matrix";
import { palette } from "../draw/palette";
import { number } from "../explain/numbers";
import { visible } from "../explain/tokens";
import { largest } from "../maths/extent";
import { invariants } from "../maths/invariants";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { decode, type Flat } from "../wire/codec";
import type { Report } from "../wire/schema";
import type { Env } from "./view";

/** One of the maps side by side: what is coloured, and how. */
interface Picture {
  name: string;
  note: string;
  data: Flat;
  share(at: number): number | null;
  table: Lut;
  signed: boolean;
}

const ROOM = 264;

export function createReport(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, listen, theme } = env;
  const title = h("h3", {});
  const dismiss = h("button", { type: "button", class: "aw-text-button" }, "dismiss");
  const message = h("p", { class: "aw-message" });
  const stale = h("p", { class: "aw-where" });
  const broken = h("ul", { class: "aw-invariants" });
  const maps = h("div", { class: "aw-report-maps" });
  const readout = h("p", { class: "aw-where aw-report-cell", role: "status" });
  const head = h("div", { class: "aw-report-head" }, title, dismiss);
  const element = h("section", { class: "aw-report", "aria-label": "report" });
  element.append(head, message, broken, maps, readout, stale);
  parent.append(element);
  // Which switches a mistake off, too.
  listen(dismiss, "click", () => store.set("report", null));
  let shown: Report | null = null;
  let drawing = new AbortController();

  const again = env.frame(() => shown && draw(shown));

  function update() {
    const report = store.get("report");
    element.hidden = report === null;
    if (!report) {
      shown = null;
      return;
    }
    const late = report.kind === "check" && report.revision !== store.get("revision");
    text(stale, late ? "The widget has changed since this check." : "");
    if (report === shown) return;
    shown = report;
    Object.assign(element.dataset, {
      kind: report.kind,
      name: report.name,
      ok: String(report.name === ""),
    });
    const what = report.kind === "mistake" ? "Mistake switched on" : "Your function";
    // What has no name of its own is told in the message.
    const name = report.name === "other" ? "not right yet" : report.name || "right";
    text(title, `${what}: ${name}`);
    text(message, report.message);
    draw(report);
  }

  function draw(report: Report) {
    drawing.abort();
    drawing = new AbortController();
    if (palette(element).masked === "") {
      // The stylesheet comes a moment after the card.
      again();
      return;
    }
    const [rows, cols] = report.expected.shape as [number, number];
    const mask = decode(report.mask);
    maps.replaceChildren(...pictures(report, mask).map((one) => map(report, one, rows, cols)));
    const got = report.got && decode(report.got);
    broken.replaceChildren(
      ...(got ? invariants(got, mask, rows, cols) : []).map(({ name, holds, says }) =>
        h(
          "li",
          { "data-holds": String(holds), "data-invariant": name },
          `${holds ? "✓" : "✗"} ${says}`,
        ),
      ),
    );
    text(readout, "");
  }

  function pictures(report: Report, mask: Flat): Picture[] {
    const expected = decode(report.expected);
    const weights = lut(store.get("cmap"));
    const right: Picture = {
      name: "right",
      note: "softmax by row",
      data: expected,
      share: (at) => (mask[at] ? null : (expected[at] as number)),
      table: weights,
      signed: false,
    };
    if (!report.got) return [right];
    const got = decode(report.got);
    const off = Float32Array.from(got, (value, i) => value - (expected[i] as number));
    const most = largest(off.map((d) => (Number.isFinite(d) ? Math.abs(d) : 0)));
    return [
      {
        name: "got",
        note: report.kind === "mistake" ? "with the mistake" : "what it returned",
        data: got,
        share: (at) => finite(got[at] as number),
        table: weights,
        signed: got.some((value) => value < 0),
      },
      right,
      {
        name: "difference",
        note: `got − right, colours ± ${number(most)}`,
        data: off,
        share: (at) => {
          const d = finite(off[at] as number);
          return d === null ? null : 0.5 + (most > 0 ? d / most / 2 : 0);
        },
        table: signedLut(theme.dark),
        signed: true,
      },
    ];
  }

  function map(report: Report, picture: Picture, rows: number, cols: number): HTMLElement {
    const own = report.case === "given" && rows === store.nQ && cols === store.nK;
    const places = (n: number) => Array.from({ length: n }, (_, i) => String(i));
    const queries = own ? store.tokens : places(rows);
    const keys = own ? store.keyTokens : places(cols);
    const value = (r: number, c: number) => picture.data[r * cols + c] as number;
    const say = ([r, c]: Place) =>
      `${picture.name} ${visible(queries[r] as string)} → ${visible(keys[c] as string)}: ${number(value(r, c))}`;
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
      env.until(drawing.signal),
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
      palette(element),
    );
    return made.element;
  }

  store.subscribe(update, signal);
  theme.subscribe(() => {
    shown = null;
    update();
  }, signal);
  signal.addEventListener("abort", () => drawing.abort());
  update();
}

/** What is no number, or infinite, is drawn like a masked cell: it has no colour. */
const finite = (value: number) => (Number.isFinite(value) ? value : null);
