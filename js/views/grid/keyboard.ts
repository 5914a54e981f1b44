/** The arrow keys move between the thumbnails, which have a single tab stop. */
import type { Scope } from "../../ui/scope";

export function listenToArrows(list: HTMLElement, { listen }: Scope): void {
  listen(list, "keydown", (event) => {
    const buttons = [...list.querySelectorAll<HTMLElement>(".aw-thumb")];
    const at = buttons.indexOf(event.target as HTMLElement);
    const across = Math.max(1, buttons.filter((b) => b.offsetTop === buttons[0]?.offsetTop).length);
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    const next =
      event.key === "Home" ? 0 : event.key === "End" ? buttons.length - 1 : at + (by ?? Number.NaN);
    const target = buttons[next];
    if (at < 0 || !target) return;
    event.preventDefault();
    event.stopPropagation();
    (event.target as HTMLElement).tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  });
}
