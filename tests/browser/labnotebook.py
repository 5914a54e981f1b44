"""One notebook, open in JupyterLab: run it, ask its kernel, find its widgets, read its pixels."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import nbformat
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page
    from watch import Watch

# Signals, not sleeps: what the notebook itself says of its state.
IDLE = """path => {
  const panel = globalThis.jupyterapp?.shell.currentWidget;
  return panel?.context?.path === path && panel.context.isReady
    && panel.sessionContext.session?.kernel?.status === 'idle'
    && panel.content.widgets.every(cell => (cell.model.executionState ?? 'idle') === 'idle');
}"""
OPEN = """async path => {
  await jupyterapp.commands.execute('docmanager:open', { path, factory: 'Notebook' });
}"""
START = """async path => {
  const session = await jupyterapp.serviceManager.sessions.startNew(
    { path, name: path, type: 'notebook', kernel: { name: 'python3' } });
  await session.kernel.info;
  session.dispose();
}"""
# JupyterLab's page stays for the next notebook, so the style must go with this one.
ROOM = """width => {
  document.querySelector('style[data-room]')?.remove();
  if (width === null) return;
  const style = document.createElement('style');
  style.dataset.room = '';
  style.textContent = `:has(> .aw-root) { width: ${width}px !important; flex: none !important }`;
  document.head.append(style);
}"""
CLOSE = """async shutdown => {
  const panel = jupyterapp.shell.currentWidget;
  if (shutdown && panel.sessionContext.session) await panel.sessionContext.shutdown();
  panel.context.model.dirty = false; // or it would ask whether to save
  panel.close();
}"""

# A request on the notebook's own kernel connection, as its cells make them.
EXECUTE = """async code => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = '', error = null;
  future.onIOPub = ({ header: { msg_type: type }, content }) => {
    if (type === 'stream') text += content.text;
    else if (type === 'execute_result') text += content.data['text/plain'];
    else if (type === 'error') error = content.traceback.join('\\n');
  };
  await future.done;
  return { text, error };
}"""

RUN = """async ([command, index]) => {
  const notebook = jupyterapp.shell.currentWidget.content;
  if (index !== null) { notebook.deselectAll(); notebook.activeCellIndex = index; }
  await jupyterapp.commands.execute(command);
}"""

# What waits for the server or the kernel waits so long and no longer.
BOUNDED = """([arg, ms]) => Promise.race([
  (%s)(arg),
  new Promise((_, no) => setTimeout(() => no(new Error(`no answer in ${ms} ms`)), ms)),
])"""

CELLS = "jupyterapp.shell.currentWidget.content.model.sharedModel.cells"
ERRORS = f"""() => {CELLS}.flatMap(cell => cell.toJSON().outputs ?? [])
  .filter(output => output.output_type === 'error')
  .map(output => output.traceback.join('\\n'))"""
OUTPUTS = f"index => {CELLS}[index].toJSON().outputs ?? []"
STATE = """() => {
  const panel = globalThis.jupyterapp?.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  const dialog = document.querySelector('.jp-Dialog-content')?.textContent;
  return `panel ${panel?.id}, kernel ${kernel?.status} ${kernel?.connectionStatus}, `
    + `cells [${panel?.content?.widgets?.map(c => c.model.executionState)}], dialog ${dialog}`;
}"""

PIXEL = """(canvas, [x, y]) => {
  const at = (css, size, extent) => Math.floor(css * size / extent);
  const { width, height } = canvas.getBoundingClientRect();
  const px = at(x, canvas.width, width), py = at(y, canvas.height, height);
  return [...canvas.getContext('2d').getImageData(px, py, 1, 1).data];
}"""

DECODE = """async png => {
  const bytes = Uint8Array.from(atob(png), c => c.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}"""

Pixel = tuple[int, int, int, int]


VIEW_MIME = "application/vnd.jupyter.widget-view+json"
STATE_MIME = "application/vnd.jupyter.widget-state+json"


class Notebook:
    """A notebook's page. Every wait is for a state, and is bounded."""

    def __init__(self, page: Page, watch: Watch, path: Path) -> None:
        self.page, self.watch, self.path = page, watch, path

    def show(self, timeout: float = 30_000) -> None:
        """Open it in the page, and wait for its kernel."""
        self._ask(OPEN, self.path.name, timeout)
        self._wait(IDLE, timeout)

    def start_kernel(self, timeout: float = 30_000) -> None:
        """Start the notebook's kernel before the notebook is open, and wait until it answers.

        The widget manager of JupyterLab looks for the model of a saved widget for two seconds,
        and asks the kernel before it restores the model. It can restore the model in the last
        tenth of a second before it gives up, and then shows "model not found" for good. A kernel
        that runs already answers long before.
        """
        self._ask(START, self.path.name, timeout)

    def close(self, *, shutdown: bool = True) -> None:
        """Shut the kernel down unless told not to, and close the notebook unsaved."""
        self.set_room(None)
        self._ask(CLOSE, shutdown)

    def shutdown_kernel(self) -> None:
        """End the kernel and leave the notebook open: its widgets stay, nobody answers."""
        self._ask("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def run_all(self, timeout: float = 60_000) -> None:
        """Run every cell and wait until all are done; AssertionError with a failed cell's trace."""
        self._command("notebook:run-all-cells", None, timeout)

    def rerun_cell(self, index: int, timeout: float = 60_000) -> None:
        """Run one cell again, as Shift+Enter does, and wait until it is done."""
        self._command("notebook:run-cell", index, timeout)

    def run_cell(self, source: str, timeout: float = 30_000) -> str:
        """Execute source in the notebook's kernel; what it printed, and the repr of its result.

        JupyterLab hands most widget messages to a thread of the kernel beside the one that runs
        cells (a subshell), so this may overtake a click that came before it: see `run_until`.
        """
        answer = self._ask(EXECUTE, source, timeout)
        assert answer["error"] is None, f"{source}\n{answer['error']}"
        return str(answer["text"]).rstrip("\n")

    def run_until(self, source: str, expected: str, timeout: float = 15_000) -> None:
        """Execute source until it prints `expected`: for what a click sets going."""
        end = time.monotonic() + timeout / 1000
        while (text := self.run_cell(source)) != expected:
            assert time.monotonic() < end, (
                f"{source!r} printed {text!r} and not {expected!r} in {timeout} ms"
            )

    def output(self, index: int) -> str:
        """Return what a cell printed, and the plain text of its results."""
        outputs = self.page.evaluate(OUTPUTS, index)
        return "".join(
            "".join(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
            for output in outputs
        )

    def save(self) -> nbformat.NotebookNode:
        """Save as Ctrl+S does, widget state included; the notebook as it lies on disk.

        On a busy machine, a file was once written without the state of its widgets: save until the
        file has every widget that is displayed.
        """
        missing: set[str] = set()
        for _ in range(3):
            self._ask("async () => { await jupyterapp.commands.execute('docmanager:save'); }")
            saved = nbformat.read(self.path, as_version=4)
            missing = _displayed(saved) - _kept(saved)
            if not missing:
                return saved
        raise AssertionError(f"saved without the state of the widgets {sorted(missing)}")

    def set_theme(self, theme: str) -> None:
        """Switch JupyterLab's theme under the open notebook ("light" or "dark")."""
        name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        light = json.dumps(theme == "light")
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light)

    def set_room(self, width: int | None) -> None:
        """Give each card this width in CSS pixels until the notebook closes; None: all there is."""
        self.page.evaluate(ROOM, width)

    def widget(self, i: int = 0, selector: str = ".aw-root", timeout: float = 15_000) -> Locator:
        """Return the i-th widget of the page once it says `data-ready="true"`."""
        found = self.page.locator(selector).nth(i)
        try:
            expect(found).to_have_attribute("data-ready", "true", timeout=timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\nconsole:\n" + "\n".join(self.watch.console)) from None
        found.scroll_into_view_if_needed()
        return found

    def pixel(self, canvas: Locator, x: float, y: float) -> Pixel:
        """RGBA of a 2d canvas's own buffer at CSS pixels (x, y) from its top left corner."""
        return _rgba(canvas.evaluate(PIXEL, [x, y]))

    def screen_pixel(self, locator: Locator, x: float, y: float) -> Pixel:
        """RGBA as painted on the page at CSS pixels (x, y) from the element's top left corner."""
        locator.scroll_into_view_if_needed()
        box = locator.bounding_box()
        assert box is not None, f"{locator} is not shown"
        clip: Any = {"x": box["x"] + x, "y": box["y"] + y, "width": 1, "height": 1}
        png = base64.b64encode(self.page.screenshot(clip=clip)).decode()
        return _rgba(self.page.evaluate(DECODE, png))

    def screenshot(self, locator: Locator, path: Path | str) -> None:
        """Write a PNG of one element, animations ended."""
        locator.screenshot(path=path, animations="disabled")

    def _ask(self, script: str, arg: Any = None, timeout: float = 30_000) -> Any:
        return self.page.evaluate(BOUNDED % script, [arg, timeout])

    def _command(self, command: str, index: int | None, timeout: float) -> None:
        self._wait(IDLE, timeout)
        self._ask(RUN, [command, index], timeout)
        self._wait(IDLE, timeout)
        errors = self.page.evaluate(ERRORS)
        assert not errors, "\n".join(errors)

    def _wait(self, state: str, timeout: float) -> None:
        try:
            self.page.wait_for_function(state, arg=self.path.name, timeout=timeout)
        except PlaywrightTimeout:
            what = self.page.evaluate(STATE)
            raise AssertionError(
                f"{self.path.name} did not settle in {timeout} ms: {what}; console:\n"
                + "\n".join(self.watch.console)
            ) from None


def _rgba(values: list[int]) -> Pixel:
    r, g, b, a = values
    return r, g, b, a


def _displayed(notebook: nbformat.NotebookNode) -> set[str]:
    """Return the ids of the widgets in the outputs of a notebook."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    bundles = [output.get("data", {}) for output in outputs]
    return {data[VIEW_MIME]["model_id"] for data in bundles if VIEW_MIME in data}


def _kept(notebook: nbformat.NotebookNode) -> set[str]:
    """Return the ids of the widgets whose state a notebook has."""
    return set(notebook.metadata.get("widgets", {}).get(STATE_MIME, {}).get("state", {}))
