/** The foot of the card: the number of masked cells, the keyboard help and the sums of the rows. */

import type { Store } from "../state/store";
import { fill, h, text } from "../ui/dom";
import { currentView, type Env, type Views } from "./view";

export function createFooter(
  parent: HTMLElement,
  store: Store,
  views: Views,
  { signal }: Env,
): void {
  const masked = h("span", { class: "aw-masked-count" });
  const sums = h("span", { class: "aw-row-sums" });
  const key = (name: string, does: string) =>
    h("span", { class: "aw-key" }, h("kbd", {}, name), does);
  const keys = h("span", { class: "aw-keys" });
  parent.append(masked, keys, sums);

  // Sum and masked cells of each row are kept, so that a click recomputes only the rows that changed.
  let totals = new Float64Array(0);
  let maskedCounts = new Uint32Array(0);

  function count(rows: Iterable<number>) {
    const { nK, mask } = store;
    const { data } = store.attention;
    for (const q of rows) {
      let sum = 0;
      let masked = 0;
      for (let at = q * nK; at < (q + 1) * nK; at++) {
        sum += data[at];
        masked += mask[at];
      }
      totals[q] = sum;
      maskedCounts[q] = masked;
    }
  }

  function update(changed: ReadonlySet<number> | null) {
    const { nQ, nK } = store;
    if (changed === null) {
      totals = new Float64Array(nQ);
      maskedCounts = new Uint32Array(nQ);
    }
    count(changed ?? Array(nQ).keys());
    const maskedTotal = maskedCounts.reduce((a, b) => a + b, 0);
    const sumsOfOpenRows = totals.filter((_, q) => maskedCounts[q] !== nK);
    const emptyRows = nQ - sumsOfOpenRows.length;
    text(masked, `masked ${maskedTotal} of ${nQ * nK}`);
    const low = sumsOfOpenRows
      .reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
      .toFixed(3);
    const high = sumsOfOpenRows.reduce((a, b) => Math.max(a, b), 0).toFixed(3);
    const range = low === high ? `row sums ${high}` : `row sums ${low} to ${high}`;
    const emptyText = `${emptyRows} row${emptyRows > 1 ? "s" : ""} without a key`;
    text(
      sums,
      [sumsOfOpenRows.length ? range : "", emptyRows ? emptyText : ""].filter(Boolean).join(" · "),
    );
  }
  // Where a click runs the model again, the key that does the same says so.
  const named = (does: string) => (store.knocks && does === "mask" ? "knock out" : does);
  const legend = () =>
    fill(keys, `${store.get("view")} ${store.knocks}`, () =>
      (currentView(views, store)?.keys ?? []).map(([name, does]) => key(name, named(does))),
    );
  legend();
  store.subscribe((change) => {
    legend();
    if (change.all || change.names.has("report") || change.names.has("view")) update(null);
    else if (change.rows.size) update(change.rows);
  }, signal);
  update(null);
}
