/** Give the focus back to the notebook after Escape: JupyterLab's shortcuts work only while the notebook has the focus. */
export function giveFocusBack(element: HTMLElement): void {
  const notebook = element.closest<HTMLElement>(".jp-Notebook");
  if (notebook) notebook.focus();
  else element.blur();
}
