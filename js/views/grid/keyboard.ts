/** The arrow keys move between the thumbnails, which have a single tab stop. */
import type { Scope } from "../../ui/scope";

export function listenToArrows(list: HTMLElement, { listen }: Scope): void {
  listen(list, "keydown", (event) => {
    const buttons = [...list.querySelectorAll<HTMLElement>(".aw-thumb")];
    const from = event.target as HTMLElement;
    const at = buttons.indexOf(from);
    if (at < 0) return;
    const target = {
      ArrowRight: buttons[at + 1],
      ArrowLeft: buttons[at - 1],
      ArrowDown: nearest(from, buttons.slice(at)),
      ArrowUp: nearest(from, buttons.slice(0, at).reverse()),
      Home: buttons[0],
      End: buttons[buttons.length - 1],
    }[event.key];
    if (!target) return;
    event.preventDefault();
    event.stopPropagation();
    from.tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  });
}

/** Of the first other line among `buttons`, the thumbnail nearest to the column of `from`, because a filter leaves gaps. */
function nearest(from: HTMLElement, buttons: readonly HTMLElement[]): HTMLElement | undefined {
  const others = buttons.filter(({ offsetTop }) => offsetTop !== from.offsetTop);
  const line = others.filter(({ offsetTop }) => offsetTop === others[0].offsetTop);
  const distance = ({ offsetLeft }: HTMLElement) => Math.abs(offsetLeft - from.offsetLeft);
  return line.sort((a, b) => distance(a) - distance(b))[0];
}
