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
  let model: Awaited<ReturnType<typeof createSavedModel>>;
  try {
    model = await createSavedModel(file);
  } catch (error) {
    // The file was changed after it was saved.
    const words = h("p", { role: "alert" }, `This page is damaged: ${(error as Error).message}.`);
    el.append(words);
    return () => words.remove();
  }
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
