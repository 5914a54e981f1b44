/** The choice of what a click on a model's map does: a button in the header says it, and a panel changes it. */
import { aimWords, KINDS } from "../explain/knock-outs";
import type { Aim, Kind, Where, Within } from "../state/knockouts";
import type { Store } from "../state/store";
import { disable, iconButton } from "../ui/button";
import { h, text } from "../ui/dom";
import { createPopover } from "../ui/popover";
import type { Scope } from "../ui/scope";
import { segmented } from "../ui/segmented";

const CLICK = [
  { value: "knock-out", text: "knock out", title: "take it out of the model, which runs again" },
  { value: "what-if", text: "what-if", title: "mask the map of this head; the model does not run" },
];
const WHERE = [
  { value: "edge", text: "this edge", title: "the query no longer sees the key" },
  { value: "key", text: "this key", title: "the column: no query sees the key" },
  { value: "query", text: "this query", title: "the row: the query sees no key" },
  { value: "all", text: "all edges", title: "the whole head, or the whole layer" },
];
const WITHIN = [
  { value: "head", text: "this head" },
  { value: "layer", text: "this layer", title: "every head of this layer" },
  { value: "layers", text: "all layers", title: "every head of every layer" },
  { value: "band", text: "layers", title: "every head of some layers" },
];
const KIND = Object.keys(KINDS).map((value) => ({
  ...{ value, text: value, title: KINDS[value as Kind] },
}));
const WHAT_IF =
  "A mask on the map of this head: its weights and its output follow, and the model does not run.";

/** `presets` is the group of the masks with names: masks on a map, and so a what-if. */
export function createKnockOut(store: Store, presets: HTMLElement, scope: Scope) {
  const set = (change: Partial<Aim>) => store.setAim(change);
  const click = segmented("a click", CLICK, (value) => set({ whatIf: value === "what-if" }), scope);
  const where = segmented("what", WHERE, (value) => set({ where: value as Where }), scope);
  const within = segmented("where", WITHIN, (value) => set({ within: value as Within }), scope);
  const kind = segmented("how", KIND, (value) => set({ kind: value as Kind }), scope);
  const words = h("p", { class: "aw-where" });
  const ends = (["first", "last"] as const).map((end, i) => {
    const input = h("input", { type: "number", min: 0, "aria-label": `${end} layer of the band` });
    scope.listen(input, "input", () => {
      const band: [number, number] = [...store.aim.band];
      band[i] = Math.max(0, Math.min(Number(input.max), Math.floor(Number(input.value) || 0)));
      set({ band, within: "band" });
    });
    scope.listen(input, "keydown", (event) => event.stopPropagation());
    return input;
  });
  const row = (label: string, ...elements: HTMLElement[]) =>
    h("div", { class: "aw-aim-row" }, h("span", {}, label), ...elements);
  const band = h("span", { class: "aw-aim-band" }, ends[0], "to", ends[1]);
  const out = h(
    "div",
    { class: "aw-aim-out" },
    row("what", where.element),
    row("where", within.element, band),
    row("how", kind.element),
  );
  const masks = row("masks", presets);
  const panel = h("div", { class: "aw-aim", role: "dialog", "aria-label": "what a click does" });
  panel.append(row("a click", click.element), out, words, masks);
  const button = h("button", { class: "aw-toggle aw-aim-button" });
  createPopover(button, panel, "dialog", scope);
  const stop = iconButton("stop", "stop the run", store.stopRun, scope);
  const element = h("div", { class: "aw-knock-out" }, button, panel, stop);

  return {
    element,
    /** `reason` says why the view cannot show an edit; "" if the view can. */
    update(reason: string) {
      const { aim, whyNoKnockOut: why, knocks } = store;
      const label = knocks ? `knock out: ${aimWords(aim)} ▾` : "what-if: the map of this head ▾";
      text(button, label);
      button.disabled = reason !== "";
      button.title = reason || why || "what a click on the map does";
      click.set(knocks ? "knock-out" : "what-if");
      click.offer(["knock-out", "what-if"], (value) => (value === "knock-out" ? why : ""));
      where.set(aim.where);
      within.set(aim.within);
      kind.set(aim.kind);
      const off = knocks ? "" : why || "a what-if is a mask on the map of this head";
      for (const [group, choices] of [
        [where, WHERE],
        [within, WITHIN],
        [kind, KIND],
      ] as const) {
        group.offer(
          choices.map(({ value }) => value),
          () => off,
        );
      }
      text(words, knocks ? KINDS[aim.kind] : why ? `${WHAT_IF} No knock-out: ${why}` : WHAT_IF);
      const last = Math.max(0, ...store.layers.map(({ index }) => index));
      ends.forEach((input, i) => {
        input.max = String(last);
        if (document.activeElement !== input) input.value = String(aim.band[i]);
        input.disabled = off !== "";
      });
      masks.hidden = knocks;
      disable(stop, !store.running, "stop the run");
    },
  };
}
