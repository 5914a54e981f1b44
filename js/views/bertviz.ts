/** BertViz's own views, in a frame that can reach nothing: neither this page nor the network. */
import { type Env, h } from "../dom";
import type { Store } from "../store";

const HEIGHT = { least: 80, most: 20_000 };

export function createBertviz(
  parent: HTMLElement,
  store: Store,
  { signal, theme }: Env,
  kind: "head" | "model",
): void {
  const status = h("p", { class: "aw-bertviz-status", role: "status" });
  const retry = h("button", { type: "button", class: "aw-text-button" }, "try again");
  const stage = h("div", { class: "aw-bertviz" }, status);
  parent.append(stage);
  let frame: HTMLIFrameElement | null = null;
  let asked = 0;

  async function load() {
    const ask = ++asked;
    stage.dataset.bertviz = "loading";
    status.hidden = false;
    status.replaceChildren("preparing BertViz…");
    try {
      const request = { type: "bertviz", kind, theme: theme.dark ? "dark" : "light" };
      const { buffers } = await store.request(request, signal);
      // A later question (another theme) has its own answer under way.
      if (ask !== asked || signal.aborted) return;
      show(new TextDecoder().decode(buffers[0] as DataView));
    } catch (error) {
      if (ask !== asked || signal.aborted) return;
      stage.dataset.bertviz = "error";
      frame?.remove();
      status.replaceChildren(error instanceof Error ? error.message : String(error), " ", retry);
    }
  }

  function show(html: string) {
    frame?.remove();
    frame = h("iframe", {
      class: "aw-bertviz-frame",
      sandbox: "allow-scripts",
      title: `BertViz ${kind} view`,
      srcdoc: html,
    });
    stage.append(frame);
  }

  // The document says how high it is; its origin is opaque, so only the sender tells whose word it is.
  addEventListener(
    "message",
    (event) => {
      if (!frame || event.source !== frame.contentWindow) return;
      const height = Number((event.data as { attnwidgetHeight?: unknown })?.attnwidgetHeight);
      if (!Number.isFinite(height)) return;
      frame.style.height = `${Math.min(HEIGHT.most, Math.max(HEIGHT.least, Math.ceil(height)))}px`;
      stage.dataset.bertviz = "ready";
      status.hidden = true;
    },
    { signal },
  );
  retry.addEventListener("click", load, { signal });
  theme.subscribe(load, signal);
  store.subscribe((change) => change.names.has("layers") && load(), signal);
  load();
}
