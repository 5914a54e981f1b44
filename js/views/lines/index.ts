/** The attention of a layer as lines from each query to the keys, in a colour for each head. */
import type { Env, View } from "../../card/view";
import { createCanvasList } from "../../draw/canvas-list";
import { contextOf, createCanvasView } from "../../draw/canvas-view";
import type { Palette } from "../../draw/palette";
import type { Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import { segmented } from "../../ui/segmented";
import { between, type LineData, received } from "./data";
import { createLegend } from "./legend";
import { createLooking } from "./looking";
import { paintLines, ROW } from "./paint";
import { createSource } from "./source";
import { HINT, keyWords, queryWords } from "./words";

const SENTENCES = ["all", "A → A", "A → B", "B → A", "B → B"] as const;

export const view: View = {
  name: "lines",
  label: "Lines",
  needs: [],
  // No picker of a head, because the heads of a layer are drawn together.
  parts: ["edits", "lab", "layer"],
  mount: (host, card) => createLines(host, card.store, card),
};

function createLines(parent: HTMLElement, store: Store, env: Env): void {
  const list = createCanvasList("queries and the keys that they look at", ROW, {
    "aria-multiselectable": "true",
  });
  const { box, canvas, option } = list;
  const context = contextOf(canvas);
  const readout = h("p", { class: "aw-where aw-line-readout", role: "status" });
  let pair: string = SENTENCES[0];
  let data: LineData | null = null;
  let painted = 0;
  const source = createSource(store, env.signal, renew);
  const legend = createLegend(show, env);
  const sentences = segmented(
    "sentences",
    SENTENCES.map((value) => ({ value, text: value })),
    (value) => {
      pair = value;
      sentences.set(value);
      renew();
    },
    env,
  );
  sentences.set(pair);
  const root = h("div", { class: "aw-lines-view" });
  root.append(legend.element, legend.hint, sentences.element, box, readout);
  parent.append(root);

  /** Take the lines of the layer that is shown now. */
  function renew() {
    data = source.current();
    const start = store.get("sentence_b_start");
    sentences.element.hidden = start === null;
    if (!data) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      const words = source.problem || `waiting for the lines of layer ${store.shown.layer}`;
      for (const element of [readout, option]) text(element, words);
      return;
    }
    const [from, to] = pair.split(" → ");
    if (start !== null && from && to) data = between(data, from, to, start);
    legend.offer(data.heads);
    looking.limit(data.nQ);
    legend.draw(env.theme.dark);
    picture.relayout();
  }

  function show() {
    legend.draw(env.theme.dark);
    picture.request();
  }

  function paint(colors: Palette) {
    // After a change of stack the tokens arrive before the lines: wait for the lines.
    if (!data || data.nQ !== store.nQ || data.nK !== store.nK) return;
    const { heads } = legend;
    const { key, selected, queries } = looking;
    const scene = {
      data,
      heads,
      key,
      selected,
      looking: queries,
      active: looking.isKeyboard ? looking.active : null,
      queries: store.tokens,
      keys: store.keyTokens,
      special: store.isSpecial,
      scroll: box.scrollTop,
      width: box.clientWidth,
      height: box.clientHeight,
      dark: env.theme.dark,
    };
    paintLines(context, scene, colors);
    say(data, heads);
    Object.assign(root.dataset, { painted: ++painted, heads: heads.join(), row: ROW });
  }

  function say(lines: LineData, heads: readonly number[]) {
    const { key, queries, active } = looking;
    const wordsOf = (some: Iterable<number>) =>
      queryWords(store, lines, heads, some, received(lines, heads, some));
    // The option of the list is the query that the arrow keys have reached, whatever the pointer is on.
    text(option, wordsOf([active]));
    option.setAttribute("aria-selected", String(looking.selected.has(active)));
    if (!queries) {
      const idle = source.problem || HINT;
      text(readout, key === null ? idle : keyWords(store, lines, heads, key));
      return;
    }
    const totals = received(lines, heads, queries);
    text(readout, queryWords(store, lines, heads, queries, totals));
    Object.assign(root.dataset, {
      query: [...queries].join(),
      values: Array.from(totals.sums, (v) => v.toFixed(6)).join(" "),
    });
  }

  const arrange = () => {
    if (data) list.arrange(Math.max(data.nQ, data.nK));
    return data !== null;
  };
  const picture = createCanvasView(root, { arrange, paint, themed: show }, env);
  const looking = createLooking(list, () => data, picture.request, env);
  env.listen(box, "scroll", picture.request, { passive: true });
  store.subscribe((change) => {
    const names = ["kind", "layer", "layers", "tokens", "key_tokens"];
    if (change.all || names.some((name) => change.names.has(name))) void source.load();
    else if (change.rows.size || change.names.has("shown")) renew();
  }, env.signal);
  void source.load();
  picture.open();
}
