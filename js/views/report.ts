/** A checked function, or a mistake switched on: what it gives, what is right, and what breaks. */
import { decode, type Flat } from "../codec";
import { type Lut, lut, signedLut } from "../color";
import { type Env, h, text } from "../dom";
import { number } from "../numbers";
import type { Store } from "../store";
import type { Report } from "../types";
import { visible } from "./heatmap/labels";
import { largest, palette } from "./heatmap/paint";
import { paintThumb } from "./thumb";

const MISTAKES = [
  "no-scale", "overflow", "wrong-axis", "keepdims", "mask-sign", "mask-after-softmax",
  "mask-multiplied", "not-transposed", "in-place",
]; // biome-ignore format: a table

/** The switch: a teacher turns a known mistake on. */
export function createMistakes(parent: HTMLElement, store: Store, { signal }: Env): void {
  const select = h("select", { "aria-label": "mistake" });
  select.append(h("option", { value: "" }, "none"));
  select.append(...MISTAKES.map((name) => h("option", { value: name }, name)));
  select.addEventListener("change", () => store.set("mistake", select.value || null), { signal });
  const title = "what attention becomes when this mistake is in the code";
  const element = h("label", { class: "aw-mistakes", title }, h("span", {}, "bug lab"), select);
  parent.append(element);
  const update = () => {
    element.hidden = store.get("view") !== "steps";
    select.value = store.get("mistake") ?? "";
  };
  store.subscribe(update, signal);
  update();
}

export function createReport(parent: HTMLElement, store: Store, { signal, theme }: Env): void {
  const title = h("h3", {});
  const dismiss = h("button", { type: "button", class: "aw-text-button" }, "dismiss");
  const message = h("p", { class: "aw-message" });
  const stale = h("p", { class: "aw-where" });
  const broken = h("ul", { class: "aw-invariants" });
  const maps = h("div", { class: "aw-report-maps" });
  const readout = h("p", { class: "aw-where aw-report-cell", role: "status" });
  const head = h("div", { class: "aw-report-head" }, title, dismiss);
  const element = h("section", { class: "aw-report", "aria-label": "report" });
  element.append(head, message, stale, maps, readout, broken);
  parent.append(element);
  dismiss.addEventListener(
    "click",
    () => {
      if (store.get("mistake") !== null) store.set("mistake", null);
      store.set("report", null);
    },
    { signal },
  );
  let shown: Report | null = null;

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
    element.dataset.kind = report.kind;
    element.dataset.name = report.name;
    element.dataset.ok = String(report.name === "");
    const what = report.kind === "mistake" ? "Mistake switched on" : "Your function";
    text(title, report.name ? `${what}: ${report.name}` : `${what}: right`);
    text(message, report.message);
    draw(report);
  }

  function draw(report: Report) {
    const expected = decode(report.expected);
    const got = report.got && decode(report.got);
    const mask = decode(report.mask);
    const [rows, cols] = report.expected.shape as [number, number];
    const { masked } = palette(element);
    const weights = lut(store.get("cmap"));
    const unit = (data: Flat) => (at: number) => (mask[at] ? null : finite(data[at] as number));
    const list = [map("right", rows, cols, expected, unit(expected), weights, masked)];
    if (got) {
      const off = Float32Array.from(got, (value, i) => value - (expected[i] as number));
      const most = largest(off.map((d) => (Number.isFinite(d) ? Math.abs(d) : 0)));
      const share = (at: number) => 0.5 + (most > 0 ? clamp((off[at] as number) / most) / 2 : 0);
      const all = (at: number) => finite(got[at] as number);
      list.unshift(map("got", rows, cols, got, all, weights, masked));
      const scale = `difference, ± ${number(most)}`;
      list.push(map(scale, rows, cols, off, share, signedLut(theme.dark), masked));
    }
    maps.replaceChildren(...list);
    broken.replaceChildren(...(got ? invariants(got, mask, rows, cols) : []));
    text(readout, "");
  }

  function map(
    name: string,
    rows: number,
    cols: number,
    data: Flat,
    share: (at: number) => number | null,
    table: Lut,
    masked: string,
  ) {
    const canvas = h("canvas", { role: "img", "aria-label": `${name}, ${rows} by ${cols}` });
    paintThumb(canvas, rows, cols, share, table, masked);
    canvas.style.aspectRatio = `${cols} / ${rows}`;
    const own = shown?.case === "given" && rows === store.nQ && cols === store.nK;
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      const c = Math.min(cols - 1, Math.floor(((event.clientX - box.left) / box.width) * cols));
      const r = Math.min(rows - 1, Math.floor(((event.clientY - box.top) / box.height) * rows));
      const names = own
        ? `${visible(store.tokens[r] as string)} → ${visible(store.keyTokens[c] as string)}`
        : `[${r}, ${c}]`;
      text(readout, `${name.split(",")[0]} ${names}: ${number(data[r * cols + c] as number)}`);
    });
    return h("figure", { "data-map": name.split(",")[0] }, canvas, h("figcaption", {}, name));
  }

  store.subscribe(update, signal);
  theme.subscribe(() => {
    shown = null;
    update();
  }, signal);
  update();
}

const clamp = (t: number) => (Number.isNaN(t) ? 0 : Math.max(-1, Math.min(1, t)));
/** What is no number, or infinite, is drawn like a masked cell: it has no colour. */
const finite = (value: number) => (Number.isFinite(value) ? value : null);

/** What holds of every right map, and whether it holds of this one. */
function invariants(got: Flat, mask: Flat, rows: number, cols: number): HTMLElement[] {
  const sums: number[] = [];
  let leaked = 0;
  let notNumbers = 0;
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    let open = 0;
    for (let at = r * cols; at < (r + 1) * cols; at++) {
      const value = got[at] as number;
      sum += value;
      open += Number(!mask[at]);
      if (!Number.isFinite(value)) notNumbers++;
      else if (mask[at]) leaked = Math.max(leaked, Math.abs(value));
    }
    if (open) sums.push(sum);
  }
  const [low, high] = [Math.min(...sums), Math.max(...sums)];
  const whole = sums.every((sum) => Math.abs(sum - 1) < 1e-4);
  const range =
    low === high || Number.isNaN(low) ? number(low) : `${number(low)} to ${number(high)}`;
  const line = (holds: boolean, what: string, name: string) =>
    h(
      "li",
      { "data-holds": String(holds), "data-invariant": name },
      `${holds ? "✓" : "✗"} ${what}`,
    );
  return [
    line(whole, whole ? "rows sum to 1" : `rows sum to ${range}, not to 1`, "row-sums"),
    line(
      leaked < 1e-6,
      leaked < 1e-6 ? "no attention to masked cells" : `a masked cell gets ${number(leaked)}`,
      "masked",
    ),
    line(
      notNumbers === 0,
      notNumbers ? `${notNumbers} cells are no numbers` : "every cell is a number",
      "numbers",
    ),
  ];
}
