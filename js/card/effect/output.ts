/** The output of the model before and after: the most probable tokens or classes, the vectors of the tokens, or the outputs. */
import { columnFormat, number, positiveFormat, signed } from "../../explain/numbers";
import { visible } from "../../explain/tokens";
import { largest } from "../../maths/extent";
import type { Store } from "../../state/store";
import { fill, h } from "../../ui/dom";
import type { DistributionEffect, Effect, VectorsEffect } from "../../wire/schema";
import type { Env } from "../view";
import { createStrip } from "./strip";

const LISTED = 10;

export function createOutput(store: Store, env: Env) {
  const strip = createStrip(store, env);
  const table = createTable();
  const element = h("div", { class: "aw-run-output" }, strip.element, ...table.elements);
  return {
    element,
    /** The tokens that the output belongs to. */
    get tokens() {
      return strip.tokens;
    },
    update(effect: Effect | null) {
      strip.update(effect);
      if (!effect) return;
      element.dataset.kind = effect.kind;
      table.update(effect, strip.tokens);
    },
  };
}

/** The numbers of an effect, under a caption. */
export function createTable() {
  const caption = h("p", { class: "aw-where" });
  const table = h("div", { class: "aw-run-rows", role: "table" });
  return {
    elements: [caption, table],
    update(effect: Effect, tokens: readonly string[]) {
      const { caption: words, columns, rows } = tableOf(effect, tokens);
      fill(caption, words, () => [words]);
      table.setAttribute("aria-label", words);
      fill(table, JSON.stringify([columns, rows]), () => [
        line(
          columns.map((name) =>
            h("span", name ? { role: "columnheader" } : { "aria-hidden": "true" }, name),
          ),
        ),
        ...rows.map(({ name, bars, cells }) =>
          line([
            h("bdi", { class: "aw-run-name", role: "rowheader", title: name }, name),
            h("span", { class: "aw-run-bars", "aria-hidden": "true" }, ...bars.map(bar)),
            ...cells.map((cell) => h("span", { role: "cell" }, cell)),
          ]),
        ),
      ]);
    },
  };
}

interface Row {
  name: string;
  /** The shares of the widest bar, before and after; one where there is no before. */
  bars: number[];
  cells: string[];
}

const line = (cells: HTMLElement[]) => h("div", { class: "aw-run-row", role: "row" }, ...cells);

function bar(share: number, i: number, all: readonly number[]): HTMLElement {
  const element = h("i", { "data-run": i < all.length - 1 ? "before" : "after" });
  element.style.width = `${(100 * share).toFixed(2)}%`;
  return element;
}

function tableOf(effect: Effect, tokens: readonly string[]) {
  if (effect.kind === "vectors") return vectorsTable(effect, tokens);
  if (effect.kind === "outputs") {
    const most = largest(effect.rows.map(({ change }) => change ?? 0)) || 1;
    const rows: Row[] = effect.rows.map(({ name, change }) => ({
      ...{ name, bars: [(change ?? 0) / most], cells: [numberOr(change)] },
    }));
    return {
      caption: "The largest change of each output.",
      columns: ["output", "", "change"],
      rows,
    };
  }
  return distributionTable(effect);
}

const numberOr = (value: number | null, format = number) => (value === null ? "–" : format(value));
const isKnown = (value: number | null) => value !== null;

function distributionTable({ what, position, token, rows, kl }: DistributionEffect) {
  const place = position === null ? "" : ` at “${visible(token)}” (position ${position})`;
  const changeOf = ([before, after]: readonly (number | null)[]) =>
    before === null || after === null ? null : after - before;
  const shares = rows.flatMap(({ p }) => p.filter(isKnown));
  const [share, shareChange] = [positiveFormat(shares), columnFormat(shares)];
  const logitChange = columnFormat(rows.map(({ logit }) => changeOf(logit)).filter(isKnown));
  const change = (pair: readonly (number | null)[], format: (by: number) => string) =>
    numberOr(changeOf(pair), (by) => signed(by, format));
  const listed = rows.map(
    ({ token: name, p, logit }): Row => ({
      name: visible(name),
      bars: p.map((value) => value ?? 0),
      cells: [
        ...p.map((value) => numberOr(value, share)),
        change(p, shareChange),
        change(logit, logitChange),
      ],
    }),
  );
  const caption = `${what[0].toUpperCase()}${what.slice(1)}${place}: KL(before‖after) ${numberOr(kl)} nats.`;
  const name = what.startsWith("class") ? "class" : "token";
  return { caption, columns: [name, "", "p before", "p after", "Δp", "Δlogit"], rows: listed };
}

function vectorsTable(
  { tokens: { cosine, norm }, pooled }: VectorsEffect,
  tokens: readonly string[],
) {
  const order = cosine
    .map((value, i) => ({ value: value ?? -1, i }))
    .sort((a, b) => b.value - a.value)
    .slice(0, LISTED);
  const most = largest(cosine.map((value) => value ?? 0)) || 1;
  const [turn, size] = [cosine, norm].map((column) => positiveFormat(column.filter(isKnown)));
  const rows = order.map(
    ({ i }): Row => ({
      name: tokens[i] === undefined ? `token ${i}` : visible(tokens[i]),
      bars: [Math.max(0, (cosine[i] ?? 0) / most)],
      cells: [numberOr(cosine[i], turn), numberOr(norm[i], size)],
    }),
  );
  const caption = pooled
    ? `Pooled vector (${pooled.over}): 1 − cosine ${numberOr(pooled.cosine)}, ‖change‖ ÷ ‖before‖ ${numberOr(pooled.norm)}.`
    : "The vector of each token.";
  return { caption, columns: ["token", "", "1 − cosine", "‖change‖"], rows };
}
