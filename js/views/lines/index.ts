/** The attention of a layer as lines from each query to the keys, in a colour for each head. */
import type { Env, View } from "../../card/view";
import { createCanvasList } from "../../draw/canvas-list";
import { contextOf, createCanvasView } from "../../draw/canvas-view";
import { type Palette, palette } from "../../draw/palette";
import type { Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import { createFollow } from "../../ui/follow";
import { type LineData, received } from "./data";
import { createLegend } from "./legend";
import { createLooking } from "./looking";
import { type Columns, columnsOf, paintLines, ROW } from "./paint";
import { createSentences } from "./sentences";
import { createSource } from "./source";
import { HINT, keyWords, queryWords } from "./words";

/** What the view remembers while another view is open. */
interface Kept {
  tokens: readonly string[];
  pinned: readonly number[];
  scroll: number;
}

export const view: View = {
  name: "lines",
  label: "Lines",
  needs: [],
  // No picker of a head, because the heads of a layer are drawn together.
  parts: ["edits", "lab", "mistakes", "layer"],
  mount: (host, card) => createLines(host, card.store, card),
};

function createLines(parent: HTMLElement, store: Store, env: Env): void {
  const list = createCanvasList("queries and the keys that they look at", ROW, {
    "aria-multiselectable": "true",
  });
  const { box, canvas, option } = list;
  const follow = createFollow(list.spacer, store, env);
  const context = contextOf(canvas);
  const readout = h("p", { class: "aw-where aw-line-readout", role: "status" });
  let data: LineData | null = null;
  let painted = 0;
  const source = createSource(store, env.signal, renew);
  const legend = createLegend(store, env);
  // Another text has other tokens, of which none is pinned.
  const before = store.kept.get("lines") as Kept | undefined;
  const kept = before?.tokens === store.tokens ? before : { pinned: [], scroll: 0 };
  let columns: Columns = { left: 0, right: 0, width: 0 };
  const sentences = createSentences(store, renew, env);
  const root = h("div", { class: "aw-lines-view" });
  root.append(legend.element, legend.hint, sentences.element, box, readout);
  parent.append(root);

  /** Take the lines of the layer that is shown now. */
  function renew() {
    data = sentences.of(source.current());
    if (!data) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      const words = source.problem || `waiting for the lines of layer ${store.shown.layer}`;
      for (const element of [readout, option]) text(element, words);
      return;
    }
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
      generated: store.isGenerated,
      scroll: box.scrollTop,
      columns,
      height: box.clientHeight,
      dark: env.theme.dark,
    };
    paintLines(context, scene, colors);
    say(data, heads);
    const { left, right } = columns;
    Object.assign(root.dataset, { painted: ++painted, heads: heads.join(), row: ROW, left, right });
    const pinned = [...looking.selected];
    store.kept.set("lines", { tokens: store.tokens, pinned, scroll: box.scrollTop });
  }

  function say(lines: LineData, heads: readonly number[]) {
    const { key, queries, active } = looking;
    const isPinned = (some: ReadonlySet<number>) => [...some].every((q) => looking.selected.has(q));
    const wordsOf = (some: ReadonlySet<number>) =>
      queryWords(store, lines, heads, some, received(lines, heads, some), isPinned(some));
    // The option of the list is the query that the arrow keys have reached, whatever the pointer is on.
    text(option, wordsOf(new Set([active])));
    option.setAttribute("aria-selected", String(looking.selected.has(active)));
    if (!queries) {
      const idle = source.problem || HINT;
      text(readout, key === null ? idle : keyWords(store, lines, heads, key));
      return;
    }
    text(readout, wordsOf(queries));
    Object.assign(root.dataset, {
      query: [...queries].join(),
      values: Array.from(received(lines, heads, queries).means, (v) => v.toFixed(6)).join(" "),
    });
  }

  const arrange = (room: number) => {
    if (!data) return false;
    const tokens = { queries: store.tokens, keys: store.keyTokens };
    columns = columnsOf(context, tokens, room - 2, palette(root).font);
    box.style.width = `${columns.width + 2}px`;
    list.arrange(Math.max(data.nQ, data.nK));
    follow();
    // A scroll bar takes its room from the keys.
    columns.width = box.clientWidth;
    if (!painted) box.scrollTop = kept.scroll;
    return true;
  };
  const picture = createCanvasView(root, { arrange, paint, themed: show }, env);
  const looking = createLooking(
    list,
    { data: () => data, columns: () => columns, pinned: kept.pinned, changed: picture.request },
    env,
  );
  env.listen(box, "scroll", picture.request, { passive: true });
  store.subscribe((change) => {
    if (change.names.has("tokens")) looking.forget();
    const names = ["stack", "layer", "layers", "tokens", "key_tokens"];
    const isOther = change.all || names.some((name) => change.names.has(name));
    if (isOther || store.isOtherRun(change.names)) void source.load();
    else if (change.rows.size || change.names.has("shown")) renew();
    else if (change.names.has("heads_on")) show();
  }, env.signal);
  void source.load();
  picture.open();
}
