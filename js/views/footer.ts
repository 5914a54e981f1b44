/** The foot of the card: how much is masked, which keys do what, whether rows sum to one. */
import { type Env, h, text } from "../dom";
import type { Store } from "../store";

export function createFooter(parent: HTMLElement, store: Store, { signal }: Env): void {
  const masked = h("span", { class: "aw-masked-count" });
  const sums = h("span", { class: "aw-row-sums" });
  const key = (name: string, does: string) =>
    h("span", { class: "aw-key" }, h("kbd", {}, name), does);
  const keys = h(
    "span",
    { class: "aw-keys" },
    key("←↑↓→", "move"),
    key("space", "mask"),
    key("shift", "extend"),
    key("drag", "paint"),
  );
  parent.append(masked, keys, sums);

  function update() {
    const { nQ, nK, mask } = store;
    const { data } = store.attention;
    let count = 0;
    let empty = 0;
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let q = 0; q < nQ; q++) {
      let sum = 0;
      let hidden = 0;
      for (let k = 0; k < nK; k++) {
        sum += data[q * nK + k] as number;
        hidden += mask[q * nK + k] as number;
      }
      count += hidden;
      if (hidden === nK) empty++;
      else [low, high] = [Math.min(low, sum), Math.max(high, sum)];
    }
    text(masked, `masked ${count} of ${nQ * nK}`);
    const range =
      empty === nQ
        ? ""
        : high - low < 5e-4
          ? `row sums ${high.toFixed(3)}`
          : `row sums ${low.toFixed(3)} to ${high.toFixed(3)}`;
    const none = empty ? `${empty} row${empty > 1 ? "s" : ""} without a key` : "";
    text(sums, [range, none].filter(Boolean).join(" · "));
  }
  store.subscribe((change) => (change.all || change.rows.size) && update(), signal);
  update();
}
