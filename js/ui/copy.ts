/** A button that puts the NumPy line of the shown number on the clipboard. */
import { h, text } from "./dom";
import type { Scope } from "./scope";

const LABEL = "copy as NumPy";

export function copyButton(line: () => string, { listen, after }: Scope): HTMLElement {
  const button = h("button", { type: "button", class: "aw-copy" }, LABEL);
  // Where a page may not touch the clipboard the line is there to be taken by hand.
  const shown = h("textarea", { class: "aw-copied", readonly: true, hidden: true, rows: 3 });
  let cancel = () => {};
  listen(button, "click", async () => {
    const copied = line();
    button.dataset.numpy = copied;
    const done = await write(copied);
    shown.hidden = done;
    shown.value = copied;
    if (!done) shown.select();
    text(button, done ? "copied" : "here it is:");
    cancel();
    cancel = after(1500, () => text(button, LABEL));
  });
  return h("div", { class: "aw-copy-box" }, button, shown);
}

async function write(line: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(line);
    return true;
  } catch {
    return false; // a frame without the right, or no secure page
  }
}
