/** BertViz's own view, as Python wrote it: a sandboxed frame that is as high as its content. */
import { h } from "../../ui/dom";
import type { Scope } from "../../ui/scope";

export type BertvizKind = "head" | "model" | "neuron";
export type BertvizTheme = "light" | "dark";

export interface BertvizOptions {
  scope: Scope;
  /** The document, or an Error whose message can be read. */
  request(kind: BertvizKind, theme: BertvizTheme): Promise<string>;
}

export interface BertvizView {
  /** `data-bertviz` is "loading", "ready" (drawn) or "error". */
  readonly element: HTMLElement;
  /** Ask for a document, unless it is the one already shown or on its way. */
  show(kind: BertvizKind, theme: BertvizTheme): void;
  /** Ask again for what is shown: the weights have changed. */
  reload(): void;
}

const HEIGHTS = [80, 20000] as const;

export function createBertvizView(
  parent: HTMLElement,
  { scope, request }: BertvizOptions,
): BertvizView {
  const { signal, listen } = scope;
  const status = h("p", { class: "aw-bertviz-status", role: "status" });
  const retry = h("button", { class: "aw-bertviz-retry", type: "button" }, "Try again");
  const element = h("div", { class: "aw-bertviz" }, status);
  parent.append(element);

  let wanted: { kind: BertvizKind; theme: BertvizTheme } | null = null;
  let frame: HTMLIFrameElement | null = null;
  let latest = 0;

  function loading({ kind, theme }: { kind: BertvizKind; theme: BertvizTheme }) {
    // The page below doesn't jump while one document makes way for the next.
    if (frame) element.style.minHeight = `${element.offsetHeight}px`;
    frame?.remove();
    frame = null;
    element.dataset.bertviz = "loading";
    status.textContent = "Preparing BertViz…";
    element.replaceChildren(status);
    const turn = ++latest;
    const stale = () => turn !== latest || signal.aborted;
    scope.guard(() =>
      request(kind, theme).then(
        (html) => stale() || open(html, kind),
        (error: unknown) => stale() || fail(error instanceof Error ? error.message : String(error)),
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

  listen(retry, "click", () => wanted && loading(wanted));
  listen(window, "message", ({ source, data }) => {
    if (!frame || source !== frame.contentWindow) return;
    const height = data?.attnwidgetHeight;
    if (!Number.isFinite(height)) return;
    const [least, most] = HEIGHTS;
    frame.style.height = `${Math.min(Math.max(height, least), most)}px`;
    if (element.dataset.bertviz === "ready") return;
    element.style.minHeight = "";
    status.remove();
    element.dataset.bertviz = "ready";
  });
  signal.addEventListener("abort", () => element.remove());

  return {
    element,
    show(kind, theme) {
      if (wanted?.kind === kind && wanted.theme === theme) return;
      wanted = { kind, theme };
      loading(wanted);
    },
    reload() {
      if (wanted) loading(wanted);
    },
  };
}
