/** A page without Python: a card of the state that the page carries. */

import type { SavedFile } from "../saved/file";
import { createSavedModel } from "../saved/model";
import { h } from "../ui/dom";
import createWidget from "./widget";

interface Place {
  el: HTMLElement;
  /** Ends with the card. */
  signal?: AbortSignal;
}

/** Draw the card of a saved state in `el`; the function that is returned removes the card. */
export async function openSaved({ el, signal }: Place, file: SavedFile): Promise<() => void> {
  const model = await createSavedModel(file);
  if (signal?.aborted) return () => {};
  const style = h("style", {}, file.css);
  if (file.css) el.append(style);
  signal?.addEventListener("abort", () => style.remove());
  const end = createWidget().render({ model, el, ...(signal && { signal }) });
  return () => {
    end();
    style.remove();
  };
}
