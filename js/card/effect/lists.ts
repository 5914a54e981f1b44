/** The knock-outs, each with a button that takes it back, and the runs that were done, each of which can be restored. */
import { effectNumber, knockOutsCode, recordWords, secondsWords } from "../../explain/knock-outs";
import { changeTo, isSameRecord } from "../../state/knockouts";
import type { Store } from "../../state/store";
import { copyButton } from "../../ui/copy";
import { fill, h, text } from "../../ui/dom";
import { icon } from "../../ui/icons";
import type { KnockOutRecord } from "../../wire/schema";
import type { Env } from "../view";
import { createCompared } from "./compared";

/** A list this long is enough to read; the line of Python has all. */
const LISTED = 100;

/** `tokens` are the tokens that the output of the model belongs to. */
export function createLists(store: Store, env: Env, tokens: () => readonly string[]) {
  const title = h("h4", {});
  const copy = copyButton(() => knockOutsCode(store.get("knockouts")), env, "copy as Python");
  const out = h("ul", { class: "aw-run-list aw-run-out" });
  const kept = h("ul", { class: "aw-run-list aw-run-kept" });
  const element = h("div", { class: "aw-run-lists" });
  element.append(
    h("div", { class: "aw-run-title" }, title, copy),
    out,
    h("div", { class: "aw-run-title" }, h("h4", {}, "runs that were done")),
    kept,
  );
  env.listen(out, "click", ({ target }) => {
    const at = (target as HTMLElement).closest<HTMLElement>("button")?.dataset.at;
    const now = store.get("knockouts");
    if (at !== undefined) store.setKnockOuts(now.filter((_, i) => i !== Number(at)));
  });
  const compared = createCompared(store, env, update);
  env.listen(kept, "click", ({ target }) => {
    const { at, compare } =
      (target as HTMLElement).closest<HTMLElement>("button")?.dataset ?? ({} as DOMStringMap);
    if (compare !== undefined) compared.choose(Number(compare), tokens());
    const run = at === undefined ? undefined : store.get("runs")[Number(at)];
    if (run) store.setKnockOuts(run.knockouts);
  });

  const wordsOf = (record: KnockOutRecord) => {
    const stacks = new Set(store.get("layers").map((layer) => layer.stack));
    const part = store.shown.stack.split(" ")[0];
    const isOfMap = record.stack === null || record.stack === part;
    const tokens = isOfMap ? { queries: store.tokens, keys: store.keyTokens } : null;
    return recordWords(record, tokens, stacks.size < 2);
  };

  function update() {
    const records = store.get("knockouts");
    const isLocked = store.saved || !store.live;
    const words = records.slice(0, LISTED).map(wordsOf);
    const count = `${records.length || "no"} knock-out${records.length === 1 ? "" : "s"}`;
    text(title, count);
    const kinds = records.map(({ kind }) => kind);
    fill(out, JSON.stringify([words, kinds, isLocked]), () =>
      words.map((name, i) => {
        const label = `take back: ${kinds[i]} ${name}`;
        const props = { "data-at": i, "aria-label": label, title: label, disabled: isLocked };
        const button = h("button", { class: "aw-button", ...props }, icon("clear"));
        return h("li", {}, button, h("span", { title: name }, `${kinds[i]} ${name}`));
      }),
    );
    const runs = store.get("runs");
    const isNow = (list: readonly KnockOutRecord[]) => {
      const { add, remove } = changeTo(records, list);
      const isKnown = add.every((each) => records.some((record) => isSameRecord(each, record)));
      return remove.length === 0 && isKnown;
    };
    const current = runs.map((run) => isNow(run.knockouts));
    fill(kept, JSON.stringify([runs, current, isLocked, compared.first]), () =>
      runs
        .map((run, i) => {
          const numbers = `${effectNumber(run)}, ${secondsWords(run.seconds)}`;
          const props = { "data-at": i, title: `restore: ${run.name}`, disabled: isLocked };
          const button = h("button", { class: "aw-run-restore", ...props });
          if (current[i]) button.setAttribute("aria-current", "true");
          button.append(h("span", {}, run.name), h("b", {}, numbers));
          return h("li", {}, button, compareButton(i, run.name, isLocked));
        })
        .reverse(),
    );
  }

  function compareButton(at: number, name: string, isLocked: boolean) {
    const label = `compare: ${name}`;
    const pressed = String(compared.first === at);
    const props = { "data-compare": at, "aria-label": label, title: label, disabled: isLocked };
    const button = h("button", { class: "aw-button", "aria-pressed": pressed, ...props });
    button.append(icon("compare"));
    return button;
  }

  return { element, compared: compared.element, update };
}
