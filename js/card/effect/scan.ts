/** A scan: what every knock-out of a kind does to a number of the output, as a map, with the strongest as a list. */
import { secondsWords } from "../../explain/knock-outs";
import { number, signed } from "../../explain/numbers";
import type { Store } from "../../state/store";
import { problem } from "../../state/waiting";
import { onPress } from "../../ui/button";
import { fill, h, text } from "../../ui/dom";
import type { ScanMessage } from "../../wire/schema";
import type { Env } from "../view";
import { createScanMap, placeWords } from "./scan-map";

const STRONGEST = 10;
const OVER = [
  { value: "heads", text: "heads", title: "each head of each layer" },
  { value: "layers", text: "layers", title: "each layer" },
  { value: "keys", text: "keys", title: "each key, in all layers" },
  { value: "edges", text: "edges", title: "each edge of the head on screen" },
];
const TARGET =
  "a token of the vocabulary, two tokens with a comma for their difference, a class, or kl";

/** Two tokens with a comma between them are a difference. */
export function targetOf(words: string): string | string[] {
  const parts = words.split(",").map((part) => part.trim());
  return parts.length === 2 && parts.every(Boolean) ? parts : words.trim();
}

const select = (label: string, options: readonly { value: string; text: string }[]) => {
  const element = h("select", { "aria-label": label });
  element.append(...options.map(({ value, text }) => h("option", { value }, text)));
  return element;
};

export function createScan(store: Store, env: Env): HTMLElement {
  const { signal, listen } = env;
  const target = h("input", { type: "text", value: "kl", "aria-label": "target", title: TARGET });
  target.value = "kl";
  const over = select("over", OVER);
  const kind = select(
    "kind",
    ["remove", "zero", "mean", "first"].map((value) => ({ value, text: value })),
  );
  const start = h("button", { class: "aw-text-button" }, "scan");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "knock-outs measured" });
  const words = h("span", { class: "aw-scan-words", role: "status" });
  const caption = h("p", { class: "aw-where" });
  const list = h("ol", { class: "aw-run-list aw-scan-list", "aria-label": "strongest effects" });
  const readout = h("p", { class: "aw-where" });
  let scan: ScanMessage | null = null;
  let asking: AbortController | null = null;
  const add = (at: number) => {
    const record = scan?.knockouts[at];
    if (record) store.setKnockOuts([...store.get("knockouts"), record]);
  };
  const say = (at: number | null) => {
    const value = at === null ? null : scan?.values[at];
    const name = at === null || !scan ? "" : placeWords(scan, at);
    text(readout, name && `${name}: ${value == null ? "not measured" : signed(value, number)}`);
  };
  const map = createScanMap(env, { say, add });
  const form = h("div", { class: "aw-scan-form" });
  const named = (name: string, element: HTMLElement) =>
    h("label", { class: "aw-field" }, h("span", {}, name), element);
  form.append(named("target", target), named("over", over), named("kind", kind), start, bar, words);
  const result = h("div", { class: "aw-scan-result", hidden: true });
  result.append(caption, h("div", { class: "aw-scan-maps" }, map.element, list), readout);
  const element = h("details", { class: "aw-scan" });
  element.append(h("summary", {}, h("b", {}, "Scan"), " every knock-out of a kind"), form, result);
  signal.addEventListener("abort", () => asking?.abort());
  listen(target, "keydown", (event) => {
    event.stopPropagation(); // a key must not start a shortcut of the notebook
    if (event.key === "Enter" && !asking) void run();
  });
  listen(list, "click", (event) => {
    const at = (event.target as HTMLElement).closest<HTMLElement>("button")?.dataset.at;
    if (at !== undefined) add(Number(at));
  });
  onPress(start, () => (asking ? store.stopQuestion("scan") : run()), env);

  async function run() {
    const own = new AbortController();
    asking = own;
    bar.value = 0;
    text(words, "");
    update();
    const content = {
      ...{ type: "scan", target: targetOf(target.value), over: over.value, kind: kind.value },
      position: store.get("effect_position"),
    };
    try {
      const answer = await store.request(content, own.signal, (done, total) => {
        bar.value = total ? done / total : 0;
        text(words, `${done} of ${total}`);
      });
      scan = (answer.content as { scan: ScanMessage }).scan;
      text(words, scan.notice || `${secondsWords(scan.seconds)}.`);
      show(scan);
    } catch (error) {
      if (!own.signal.aborted) text(words, problem("The scan", error));
    }
    if (asking === own) asking = null;
    update();
  }

  function show(found: ScanMessage) {
    result.hidden = false;
    const { target: of, baseline, values } = found;
    const before = baseline === null ? "" : `, ${number(baseline)} without a knock-out`;
    text(caption, `Change of ${of}${before}. A click adds the knock-out.`);
    map.show(found);
    const strongest = values
      .map((value, at) => ({ value: value ?? 0, at }))
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
      // Smaller values are rounding.
      .filter(({ value }, _, [most]) => Math.abs(value) > 1e-5 * Math.abs(most.value))
      .slice(0, STRONGEST);
    fill(list, JSON.stringify(found), () =>
      strongest.map(({ value, at }) => {
        const button = h("button", { class: "aw-run-restore", "data-at": at });
        button.append(h("span", {}, placeWords(found, at)), h("b", {}, signed(value, number)));
        return h("li", {}, button);
      }),
    );
    say(null);
  }

  function update() {
    text(start, asking ? "stop" : "scan");
    start.disabled = store.whyNoKnockOut !== "";
    start.title = store.whyNoKnockOut;
    bar.style.visibility = asking ? "" : "hidden";
  }
  store.subscribe(update, signal);
  update();
  return element;
}
