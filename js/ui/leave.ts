/** Escape gives the focus back to the notebook: JupyterLab's own keys work where the notebook has it, not the page. */
export function giveFocusBack(element: HTMLElement): void {
  const notebook = element.closest<HTMLElement>(".jp-Notebook");
  if (notebook) notebook.focus();
  else element.blur();
}
