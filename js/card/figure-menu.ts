/** The menu of figures: Python draws the view on screen, and the page downloads the file or copies the picture. */
import type { Store } from "../state/store";
import { needsPython } from "../state/waiting";
import { disable, iconButton, onPress } from "../ui/button";
import { h, text } from "../ui/dom";
import { createPopover } from "../ui/popover";
import type { Scope } from "../ui/scope";

const LABEL = "save a figure of this view";
const KINDS = { svg: "image/svg+xml", pdf: "application/pdf", png: "image/png" } as const;
type Kind = keyof typeof KINDS;

export function createFigureMenu(store: Store, scope: Scope) {
  const button = iconButton("figure", LABEL, () => {}, scope);
  const status = h("p", { role: "status" });
  const panel = h("div", { class: "aw-menu aw-figures", role: "dialog", "aria-label": "figure" });
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const choice = h("button", {}, `save ${kind.toUpperCase()}`);
    onPress(choice, () => act(kind, download, "saved"), scope);
    panel.append(choice);
  }
  const copying = h("button", {}, "copy PNG");
  onPress(copying, () => act("png", copy, "copied"), scope);
  panel.append(copying, status);
  createPopover(button, panel, "dialog", scope);

  async function act(kind: Kind, use: (file: Blob, name: string) => unknown, done: string) {
    const name = `attention-${store.get("view")}.${kind}`;
    text(status, "Python draws the figure…");
    try {
      const { buffers } = await store.request({ type: "figure", kind }, scope.signal);
      await use(new Blob([buffers[0] as BlobPart], { type: KINDS[kind] }), name);
      text(status, `${done} ${name}`);
    } catch (error) {
      text(status, (error as Error).message);
    }
  }

  return {
    elements: [button, panel],
    update() {
      const reason = withoutFigure(store);
      disable(button, reason !== "", reason || LABEL);
      button.disabled = reason !== "";
    },
  };
}

/** Why the view on screen cannot be saved as a figure; "" if the view can be saved. */
function withoutFigure(store: Store): string {
  if (store.saved) return needsPython("figures");
  return store.get("view").startsWith("bertviz") ? "BertViz's own views have no figure" : "";
}

function download(file: Blob, name: string): void {
  const href = URL.createObjectURL(file);
  h("a", { href, download: name }).click();
  URL.revokeObjectURL(href);
}

async function copy(file: Blob): Promise<void> {
  await navigator.clipboard.write([new ClipboardItem({ [file.type]: file })]);
}
