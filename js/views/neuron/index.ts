/** A query against every key: q, k, the products of their numbers, the score, the weight, and the norm of the value. */
import type { Env, View } from "../../card/view";
import { createCanvasList } from "../../draw/canvas-list";
import { contextOf, createCanvasView, resizeCanvas } from "../../draw/canvas-view";
import { type Lut, signedLut } from "../../draw/color";
import type { Palette } from "../../draw/palette";
import { explainScore, explainWeight } from "../../explain/explain";
import { inText } from "../../explain/tokens";
import type { Store } from "../../state/store";
import { h, text } from "../../ui/dom";
import { HEAD, paintHead, paintNeuron, ROW, type Scene } from "./paint";
import { createPlace } from "./place";
import { numbersOf } from "./scene";

export const view: View = {
  name: "neuron",
  label: "Neuron",
  needs: ["Q", "K", "V"],
  parts: ["edits", "lab", "mistakes", "layer", "head"],
  mount: (host, card) => createNeuron(host, card.store, card),
};

function createNeuron(parent: HTMLElement, store: Store, env: Env): void {
  const head = h("canvas", { class: "aw-neuron-head" });
  const list = createCanvasList("keys", ROW);
  const { box, canvas, option } = list;
  const [context, top] = [contextOf(canvas), contextOf(head)];
  const lines = h("div", { class: "aw-formula", role: "status" });
  const root = h("div", { class: "aw-neuron" });
  let table: Lut = signedLut(env.theme.dark);
  let painted = 0;

  function paint(colors: Palette) {
    place.limit();
    const { query, key, isFocused } = place;
    const numbers = numbersOf(store, query);
    if (!numbers) return;
    const scene: Scene = {
      ...numbers,
      query,
      masked: (k) => Boolean(store.blank[query * store.nK + k]),
      keys: store.keyTokens,
      special: (k) => store.isSpecial("key", k),
      active: key,
      focused: isFocused,
      scroll: box.scrollTop,
      width: box.clientWidth,
      height: box.clientHeight,
      table,
    };
    paintNeuron(context, scene, colors);
    paintHead(top, scene, colors);
    say(scene);
    Object.assign(root.dataset, { painted: ++painted, query, row: ROW });
  }

  function say({ query, active: key, columns }: Scene) {
    const score = explainScore(store, query, key).lines;
    const weight = explainWeight(store, query, key).lines;
    const [from, to] = [store.tokens[query], store.keyTokens[key]];
    const title = h("strong", {}, `${inText(from)} → ${inText(to)}: `, "the score, and the weight");
    lines.replaceChildren(title, ...[...score, ...weight].map((line) => h("div", {}, line)));
    const values = columns.map(({ name, values }) => `${name} ${values[key].toFixed(6)}`);
    text(option, `${inText(from)} → ${inText(to)}: ${values.join(", ")}`);
    Object.assign(root.dataset, {
      key,
      values: columns.map(({ values }) => values[key]).join(" "),
    });
  }

  const arrange = () => {
    list.arrange(store.nK, 2);
    resizeCanvas(head, box.clientWidth, HEAD);
    return true;
  };
  const themed = () => {
    table = signedLut(env.theme.dark);
  };
  const picture = createCanvasView(root, { arrange, paint, themed }, env);
  const place = createPlace(store, list, picture.request, env);
  root.append(place.element, head, box, lines);
  parent.append(root);
  env.listen(box, "scroll", picture.request, { passive: true });
  store.subscribe((change) => {
    const isMoved = change.names.has("selection");
    if (change.all || isMoved) place.update(isMoved);
    if (change.all) picture.relayout();
    else if (change.rows.size || isMoved) picture.request();
  }, env.signal);
  picture.open();
}
