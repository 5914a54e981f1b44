/** A button that copies a line of Python, such as the NumPy for the explained number. */
import { h, text } from "./dom";
import type { Scope } from "./scope";

export function copyButton(
  line: () => string,
  { listen, after }: Scope,
  label = "copy as NumPy",
): HTMLElement {
  const button = h("button", { class: "aw-copy" }, label);
  // If the browser denies the clipboard, the user copies the line from this box.
  const box = h("textarea", { class: "aw-copied", readonly: true, hidden: true, rows: 3 });
  let cancel = () => {};
  listen(button, "click", async () => {
    const code = line();
    button.dataset.numpy = code;
    const isCopied = await write(code);
    box.hidden = isCopied;
    box.value = code;
    if (!isCopied) box.select();
    text(button, isCopied ? "copied" : "copy from this box:");
    cancel();
    cancel = after(1500, () => text(button, label));
  });
  return h("div", { class: "aw-copy-box" }, button, box);
}

async function write(line: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(line);
    return true;
  } catch {
    return false; // the frame has no permission, or the page is not secure
  }
}
