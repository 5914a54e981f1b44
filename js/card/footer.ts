/** The foot of the card: how much is masked, which keys do what, whether rows sum to one. */

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

  // What each row holds, kept from change to change: a click costs a row here too.
  let totals = new Float64Array(0);
  let hidden = new Uint32Array(0);

  function count(rows: Iterable<number>) {
    const { nK, mask } = store;
    const { data } = currentView(views, store)?.drawn?.(store) ?? store.attention;
    for (const q of rows) {
      let sum = 0;
      let masked = 0;
      for (let at = q * nK; at < (q + 1) * nK; at++) {
        sum += data[at];
        masked += mask[at];
      }
      totals[q] = sum;
      hidden[q] = masked;
    }
  }

  function update(changed: ReadonlySet<number> | null) {
    const { nQ, nK } = store;
    if (changed === null) {
      totals = new Float64Array(nQ);
      hidden = new Uint32Array(nQ);
    }
    count(changed ?? Array(nQ).keys());
    const all = hidden.reduce((a, b) => a + b, 0);
    const seeing = totals.filter((_, q) => hidden[q] !== nK);
    const empty = nQ - seeing.length;
    text(masked, `masked ${all} of ${nQ * nK}`);
    const low = seeing.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY).toFixed(3);
    const high = seeing.reduce((a, b) => Math.max(a, b), 0).toFixed(3);
    const range = low === high ? `row sums ${high}` : `row sums ${low} to ${high}`;
    const none = `${empty} row${empty > 1 ? "s" : ""} without a key`;
    text(sums, [seeing.length ? range : "", empty ? none : ""].filter(Boolean).join(" · "));
  }
  const legend = () =>
    fill(keys, store.get("view"), () =>
      (currentView(views, store)?.keys ?? []).map(([name, does]) => key(name, does)),
    );
  legend();
  store.subscribe((change) => {
    legend();
    if (change.all || change.names.has("report") || change.names.has("view")) update(null);
    else if (change.rows.size) update(change.rows);
  }, signal);
  update(null);
}
