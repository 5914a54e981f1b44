/** The three views of BertViz, as documents from Python. */
import type { Card, View } from "../../card/view";
import { needsPython } from "../../state/waiting";
import { type BertvizKind, createBertvizView } from "./frame";

export const views = {
  "bertviz-head": view("head", "BertViz heads"),
  "bertviz-model": view("model", "BertViz model"),
  "bertviz-neuron": view("neuron", "BertViz neurons"),
} as const;

function view(kind: BertvizKind, label: string): View {
  const name = `bertviz-${kind}` as const;
  return {
    name,
    label,
    group: "BertViz",
    needs: [],
    parts: [],
    // Python lists the views only for models; a program can still set the view of a sentence by name.
    unavailable: (store) =>
      store.get("bertviz_views").includes(name)
        ? ""
        : store.saved
          ? needsPython("a view of BertViz")
          : "BertViz does not draw this map",
    mount: (host, card) => mountView(host, card, kind),
  };
}

function mountView(host: HTMLElement, card: Card, kind: BertvizKind): void {
  const { signal, store, theme } = card;
  const view = createBertvizView(host, {
    scope: card,
    async request(kind, theme) {
      const { buffers } = await store.request({ type: "bertviz", kind, theme }, signal);
      return new TextDecoder().decode(buffers[0]);
    },
  });
  const show = () => view.show(kind, theme.dark ? "dark" : "light");
  theme.subscribe(show, signal);
  store.subscribe(({ names }) => {
    if (names.has("layers") || names.has("stack") || names.has("tokens")) view.reload();
  }, signal);
  show();
}
