/** The report of a checked function or of a mistake: the returned weights, the right weights, and the properties that fail. */
import { palette } from "../draw/palette";
import { invariants } from "../maths/invariants";
import type { Store } from "../state/store";
import { h, text } from "../ui/dom";
import { decode } from "../wire/codec";
import type { Report } from "../wire/schema";
import { pictures, reportMap } from "./report-maps";
import type { Env } from "./view";

export function createReport(parent: HTMLElement, store: Store, env: Env): void {
  const { signal, listen, theme } = env;
  const title = h("h3", {});
  const dismiss = h("button", { class: "aw-text-button" }, "dismiss");
  const message = h("p", { class: "aw-message" });
  const stale = h("p", { class: "aw-where" });
  const lines = h("div", { class: "aw-report-lines" });
  const checks = h("ul", { class: "aw-invariants" });
  const maps = h("div", { class: "aw-report-maps" });
  const readout = h("p", { class: "aw-where aw-report-cell", role: "status" });
  const head = h("div", { class: "aw-report-head" }, title, dismiss);
  const element = h("section", { class: "aw-report", "aria-label": "report" });
  element.append(head, message, lines, checks, maps, readout, stale);
  parent.append(element);
  // Dismissing the report of a mistake switches the mistake off, too.
  listen(dismiss, "click", () => store.set("report", null));
  let current: Report | null = null;
  let drawing = new AbortController();

  const redraw = env.frame(() => current && draw(current));

  function update() {
    const report = store.get("report");
    element.hidden = report === null;
    if (!report) {
      current = null;
      return;
    }
    const isOld = report.kind === "check" && report.revision !== store.get("revision");
    text(stale, isOld ? "The widget has changed since this check." : "");
    if (report === current) return;
    current = report;
    Object.assign(element.dataset, {
      kind: report.kind,
      name: report.name,
      ok: String(report.name === ""),
    });
    const subject = report.kind === "mistake" ? "Mistake switched on" : "Your function";
    // The message describes a mistake that has no name.
    const name = report.name === "other" ? "not right yet" : report.name || "right";
    text(title, `${subject}: ${name}`);
    text(message, report.message);
    lines.hidden = report.wrong === "";
    lines.replaceChildren(codeLine("wrong", report.wrong), codeLine("right", report.right));
    draw(report);
  }

  function draw(report: Report) {
    drawing.abort();
    drawing = new AbortController();
    const colors = palette(element);
    if (colors.masked === "") {
      // The stylesheet is loaded after the card, so draw in a later frame.
      redraw();
      return;
    }
    const mask = decode(report.mask);
    const scope = env.until(drawing.signal);
    maps.replaceChildren(
      ...pictures(report, mask, store.get("cmap"), theme.dark).map((picture) =>
        reportMap(store, report, picture, readout, scope, colors),
      ),
    );
    const [rows, cols] = report.expected.shape;
    const got = report.got && decode(report.got);
    checks.replaceChildren(
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

  store.subscribe(update, signal);
  theme.subscribe(() => {
    current = null;
    update();
  }, signal);
  signal.addEventListener("abort", () => drawing.abort());
  update();
}

/** A line of code with the mistake, or the line without the mistake. */
function codeLine(kind: "wrong" | "right", code: string): HTMLElement {
  const mark = kind === "wrong" ? "✗ with the mistake" : "✓ right";
  return h(
    "div",
    { "data-line": kind },
    h("span", { class: "aw-where" }, mark),
    h("code", {}, code),
  );
}
