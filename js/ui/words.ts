/** Parts of a line that are formatted. */
import { h } from "./dom";

/** A line with the result, the part after the last "=", in bold. */
export function strong(line: string): (Node | string)[] {
  const at = line.lastIndexOf("= ");
  return at < 0 ? [line] : [line.slice(0, at + 2), h("b", {}, line.slice(at + 2))];
}

/** A token; the stylesheet cuts a long token, and the tooltip shows the whole token. */
export function token(name: string): HTMLElement {
  return h("bdi", { class: "aw-token", title: name }, name);
}
