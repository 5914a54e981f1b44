/** Words that stand out in a line. */
import { h } from "./dom";

/** A line with its result, the part after the last "=", in bold. */
export function strong(line: string): (Node | string)[] {
  const at = line.lastIndexOf("= ");
  return at < 0 ? [line] : [line.slice(0, at + 2), h("b", {}, line.slice(at + 2))];
}

/** A token, cut off by the stylesheet where it is long; whole on hover. */
export function token(name: string): HTMLElement {
  return h("bdi", { class: "aw-token", title: name }, name);
}
