/** The tokens of the text, coloured by what the knock-outs change there; a click reads the output at a token. */
import { cssColor, isLight, lutIndex, signedLut } from "../../draw/color";
import { number, signed } from "../../explain/numbers";
import { visible } from "../../explain/tokens";
import { partOf } from "../../state/knockouts";
import type { Store } from "../../state/store";
import { fill, h } from "../../ui/dom";
import { radioStep } from "../../ui/segmented";
import type { Effect } from "../../wire/schema";
import type { Env } from "../view";

/** What is coloured: a number for each token, and what is said of it. */
interface Coloured {
  values: (number | null)[];
  words(i: number): string;
  /** Whether a click reads the output at a token. */
  isChoice: boolean;
}

function colouredOf(effect: Effect): Coloured | null {
  if (effect.kind === "vectors") {
    const { cosine } = effect.tokens;
    const words = (i: number) =>
      `1 − cosine ${cosine[i] === null ? "not known" : number(cosine[i])}`;
    return { values: cosine, words, isChoice: false };
  }
  if (effect.kind === "outputs" || effect.position === null) return null;
  const { loss, positions } = effect;
  const none = Array<null>(positions).fill(null);
  const { before, after } = loss ?? { before: none, after: none };
  const values = none.map((_, i) => {
    const [old, now] = [before[i] ?? null, after[i] ?? null];
    return old === null || now === null ? null : now - old;
  });
  const words = (i: number) => {
    const by = values[i];
    if (by === null) return loss ? "no token before predicts this token" : "";
    return `loss ${number(before[i] as number)} → ${number(after[i] as number)} nats (${signed(by, number)})`;
  };
  return { values, words, isChoice: true };
}

export function createStrip(store: Store, { listen, theme }: Env) {
  const caption = h("p", { class: "aw-where" });
  const list = h("div", { class: "aw-run-strip" });
  const element = h("div", {}, caption, list);
  /** The tokens that the output belongs to: those of its stack, when they were on screen last. */
  let tokens: readonly string[] = [];

  const pick = (i: number) => store.set("effect_position", i);
  listen(list, "click", ({ target }) => {
    const at = (target as HTMLElement).closest<HTMLElement>("button")?.dataset.position;
    if (at !== undefined && !store.saved) pick(Number(at));
  });
  listen(list, "keydown", (event) => {
    const step = radioStep(event);
    if (!step) return;
    const buttons = [...list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(event.target as HTMLButtonElement) + step];
    next?.focus();
    if (next) pick(Number(next.dataset.position));
  });

  function items(coloured: Coloured, position: number | null): HTMLElement[] {
    const table = signedLut(theme.dark);
    const most = Math.max(0, ...coloured.values.map((value) => Math.abs(value ?? 0)));
    return coloured.values.map((value, i) => {
      const name = tokens[i] === undefined ? String(i) : visible(tokens[i]);
      const title = [`${i}: ${name}`, coloured.words(i)].filter(Boolean).join(", ");
      const item = coloured.isChoice
        ? h("button", { role: "radio", "data-position": i, "aria-checked": String(i === position) })
        : h("span", { role: "listitem" });
      item.append(h("bdi", {}, name));
      item.title = title;
      item.setAttribute("aria-label", title);
      if (coloured.isChoice) item.tabIndex = i === (position ?? 0) ? 0 : -1;
      if (value === null || most === 0) return item;
      const share = (value / most + 1) / 2;
      const at = lutIndex(share) * 3;
      item.style.background = cssColor(table, share);
      item.style.color = isLight(table[at], table[at + 1], table[at + 2]) ? "#101014" : "#ffffff";
      return item;
    });
  }

  return {
    element,
    get tokens() {
      return tokens;
    },
    update(effect: Effect | null) {
      if (!effect) return; // the panel keeps the room of the last effect
      const coloured = colouredOf(effect);
      element.hidden = coloured === null;
      if (!coloured) return;
      const part = partOf(store.shown.stack);
      const isOwn = ["self", "decoder", "encoder"].includes(part);
      if (isOwn && store.tokens.length === coloured.values.length) tokens = store.tokens;
      const position =
        effect.kind === "tokens" || effect.kind === "classes" ? effect.position : null;
      const isLoss = effect.kind === "tokens" && effect.loss !== null;
      const words = !coloured.isChoice
        ? "How far each token's vector turns, 1 − cosine."
        : isLoss
          ? "Change of each token's loss: red is predicted worse. A click reads the output at a token."
          : "A click reads the output at a token.";
      fill(caption, words, () => [words]);
      list.setAttribute("role", coloured.isChoice ? "radiogroup" : "list");
      list.setAttribute("aria-label", words);
      const { activeElement } = document;
      const hadFocus = list.contains(activeElement);
      fill(list, JSON.stringify([coloured.values, tokens, position, theme.dark]), () =>
        items(coloured, position),
      );
      if (hadFocus) list.querySelector<HTMLElement>('[aria-checked="true"]')?.focus();
    },
  };
}
