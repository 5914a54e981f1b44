/** A view of BertViz: a sandboxed frame around a document from Python, as high as the document. */
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";

export type BertvizKind = "head" | "model" | "neuron";
export type BertvizTheme = "light" | "dark";

export interface BertvizOptions {
  scope: Scope;
  /** Ask Python for the document; rejects with an Error whose message the user can read. */
  request(kind: BertvizKind, theme: BertvizTheme): Promise<string>;
}

export interface BertvizView {
  /** `data-bertviz` is "loading", "ready" (drawn) or "error". */
  readonly element: HTMLElement;
  /** Ask for a document, unless the document is already shown or on its way. */
  show(kind: BertvizKind, theme: BertvizTheme): void;
  /** Ask for the document again, because the weights have changed. */
  reload(): void;
}

/** The smallest and the largest height of the frame in pixels. */
const HEIGHTS = [80, 20000] as const;

export function createBertvizView(
  parent: HTMLElement,
  { scope, request }: BertvizOptions,
): BertvizView {
  const { signal, listen } = scope;
  const status = h("p", { class: "aw-bertviz-status", role: "status" });
  const retry = h("button", { class: "aw-bertviz-retry" }, "Try again");
  const element = h("div", { class: "aw-bertviz" }, status);
  parent.append(element);

  let current: { kind: BertvizKind; theme: BertvizTheme } | null = null;
  let frame: HTMLIFrameElement | null = null;
  let latest = 0;

  function load({ kind, theme }: { kind: BertvizKind; theme: BertvizTheme }) {
    // Keep the height while the next document loads, because the notebook below would jump.
    if (frame) element.style.minHeight = `${element.offsetHeight}px`;
    frame?.remove();
    frame = null;
    element.dataset.bertviz = "loading";
    status.textContent = "Preparing BertViz…";
    element.replaceChildren(status);
    const turn = ++latest;
    const isStale = () => turn !== latest || signal.aborted;
    scope.guard(() =>
      request(kind, theme).then(
        (html) => isStale() || open(html, kind),
        (error: unknown) =>
          isStale() || fail(error instanceof Error ? error.message : String(error)),
      ),
    );
  }

  function open(html: string, kind: BertvizKind) {
    frame = h("iframe", {
      class: "aw-bertviz-frame",
      sandbox: "allow-scripts",
      title: `BertViz ${kind} view`,
    });
    frame.srcdoc = html;
    element.append(frame);
  }

  function fail(message: string) {
    latest++;
    frame?.remove();
    frame = null;
    element.style.minHeight = "";
    element.dataset.bertviz = "error";
    status.textContent = message;
    element.replaceChildren(status, retry);
  }

  listen(retry, "click", () => current && load(current));
  listen(window, "message", ({ source, data }) => {
    if (!frame || source !== frame.contentWindow) return;
    const height = data?.attnwidgetHeight;
    if (!Number.isFinite(height)) return;
    const [smallest, largest] = HEIGHTS;
    frame.style.height = `${Math.min(Math.max(height, smallest), largest)}px`;
    if (element.dataset.bertviz === "ready") return;
    element.style.minHeight = "";
    status.remove();
    element.dataset.bertviz = "ready";
  });
  signal.addEventListener("abort", () => element.remove());

  return {
    element,
    show(kind, theme) {
      if (current?.kind === kind && current.theme === theme) return;
      current = { kind, theme };
      load(current);
    },
    reload() {
      if (current) load(current);
    },
  };
}
