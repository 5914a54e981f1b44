"""Pages that stand for those of VS Code and Colab: html-manager in a frame, Python behind a comm.

Neither front end can run in the tests. Both draw widgets with html-manager, which is the widget
manager of the Jupyter project for pages that are no JupyterLab, and load anywidget by require.js.
The frame has the origin, the content-security policy and the signs of the theme of the front end.
The test itself is Python: each message crosses as JSON with its buffers beside the JSON.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode, b64encode
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from frontends import Frontend, blank_page
from ipywidgets import IntSlider
from ipywidgets.embed import embed_data
from ipywidgets.widgets.widget import _remove_buffers
from playwright.sync_api import expect

from attnwidget import AttentionWidget, causal_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipywidgets import Widget
    from lab import Desk
    from playwright.sync_api import Frame, Locator

_SHARE = Path(sys.prefix) / "share" / "jupyter"
_REQUIRE = _SHARE / "voila/templates/base/static/require.min.js"
_ANYWIDGET = _SHARE / "nbextensions/anywidget/index.js"
_MANAGER = "node_modules/@jupyter-widgets/html-manager/dist/embed-amd.js"
_PAGE = """<!DOCTYPE html><title>host</title><body style="margin: 0">
<iframe sandbox="allow-scripts" style="width: 100%; height: 2600px; border: 0"></iframe>"""
_ABSENT = "http://127.0.0.1/absent/"
_MIME = "application/vnd.jupyter.widget-"

# The page's side of the comms. A comm hears the answers of Python before the kernel is idle again.
_OPEN = """async opened => {
  const load = name => new Promise((done, no) => requirejs([name], done, no));
  const { HTMLManager } = await load('@jupyter-widgets/html-manager');
  const manager = new HTMLManager({ loader: load });
  const comms = new Map();
  const view = text => new DataView(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  const text = buffer => {
    const { buffer: whole = buffer, byteOffset, byteLength } = buffer;
    return btoa(String.fromCharCode(...new Uint8Array(whole, byteOffset, byteLength)));
  };
  let sent = 0;
  const comm = comm_id => ({
    comm_id,
    on_msg(hear) { comms.set(comm_id, hear); },
    on_close() {},
    close() {},
    send(data, callbacks, _metadata, buffers = []) {
      toPython(comm_id, JSON.stringify(data), buffers.map(text)).then(heard).then(() =>
        callbacks?.iopub?.status?.({ content: { execution_state: 'idle' } }));
      return `${++sent}`;
    },
  });
  const heard = async ({ messages, state }) => {
    for (const [id, data, buffers] of messages) {
      await comms.get(id)({ content: { data }, buffers: buffers.map(view) });
    }
    document.querySelector('.python').textContent = state;
  };
  const show = async id => {
    const place = document.createElement('div');
    place.className = 'cell-output-ipywidget-background';
    document.querySelector('main').append(place);
    await manager.display_view(await manager.create_view(await manager.get_model(id)), place);
  };
  for (const { id, data, buffers, version } of opened) {
    const message = { content: { comm_id: id, data }, buffers: buffers.map(view) };
    await manager.handle_comm_open(comm(id), { ...message, metadata: { version } });
  }
  Object.assign(window, { heard, show });
}"""


class Comm:
    """Python's side of a comm: messages wait until the page takes them."""

    kernel = object()

    def __init__(self, comm_id: str, waiting: list[Any]) -> None:
        self.comm_id, self._waiting = comm_id, waiting

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        del metadata
        self._waiting.append(_on_the_wire(self.comm_id, data, buffers or []))

    def on_msg(self, hear: Any) -> None:
        self.hear = hear

    def close(self, *_: Any, **__: Any) -> None:
        pass


def _on_the_wire(comm_id: str, data: Any, buffers: Sequence[Any]) -> list[Any]:
    # As of this moment: Python may change an array before the page takes the message.
    text = [b64encode(buffer).decode() for buffer in buffers]
    return [comm_id, json.loads(json.dumps(data)), text]


class Hosted(Frontend):
    """The lesson of `frontends` in such a page: the widget twice, then a widget of two heads."""

    # The fonts of html-manager are absent.
    noise = re.compile(f"Loading the font '{_ABSENT}")
    # The content-security policy, and the base classes that anywidget gets.
    policy: ClassVar[str]
    base: ClassVar[str] = "@jupyter-widgets/base"
    head: ClassVar[str] = ""
    protocol: ClassVar[str] = "2.1.0"

    @classmethod
    def open(cls, desk: Desk, root: Path) -> Hosted:
        """Open the page with the lesson."""
        page, watch = blank_page(desk)
        hosted = cls(page, watch, root)
        hosted._start()
        return hosted

    @classmethod
    def opened_saved(cls, desk: Desk, root: Path, widgets: Sequence[Widget]) -> Hosted:
        """Open the page with saved widgets and no kernel, as `ipywidgets.embed` writes them."""
        page, watch = blank_page(desk)
        hosted = cls(page, watch, root)
        data = embed_data(list(widgets))
        scripts = [("state", data["manager_state"]), *(("view", v) for v in data["view_specs"])]
        texts = [(kind, json.dumps(value).replace("<", r"\u003c")) for kind, value in scripts]
        hosted._load(
            "".join(f'<script type="{_MIME}{k}+json">{text}</script>' for k, text in texts)
        )
        return hosted

    def _load(self, body: str) -> None:
        """Load html-manager and anywidget into the frame."""
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.set_content(_PAGE)
        document = (
            f'<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
            f'content="{escape(self.policy)}">{self.head}<body><main>{body}</main>'
        )
        self.page.locator("iframe").evaluate("(frame, text) => { frame.srcdoc = text }", document)
        self.page.frame_locator("iframe").locator("main").wait_for(state="attached")
        self.frame: Frame = self.page.frames[1]
        self.set_theme("light")
        module = _ANYWIDGET.read_text(encoding="utf-8")
        define = 'define(["@jupyter-widgets/base"]'
        assert define in module
        module = module.replace(define, f'define("anywidget", ["{self.base}"]')
        for script in (
            # html-manager wants an address from which it would load its fonts.
            f"window.require = {{ baseUrl: '{_ABSENT}' }}",
            _REQUIRE.read_text(encoding="utf-8"),
            module,
            (self.path / _MANAGER).read_text(encoding="utf-8"),
        ):
            self.frame.add_script_tag(content=script)

    def _start(self) -> None:
        self._waiting: list[Any] = []
        self.lesson = AttentionWidget("The cat sat on the mat", d_k=3)
        heads = AttentionWidget("The cat sat", n_heads=2)
        # A widget of ipywidgets brings the stylesheet of JupyterLab's light theme with it.
        slider = IntSlider()
        self._widgets = {
            each.model_id: each
            for widget in (self.lesson, heads, slider)
            for each in (widget.layout, *([slider.style] if widget is slider else []), widget)
        }
        self.page.expose_function("toPython", self._take)
        self._load('</main><output class="python"></output>')
        self.frame.evaluate(_OPEN, [self._opening(i, each) for i, each in self._widgets.items()])
        self._shown = [self.lesson.model_id] * 2 + [heads.model_id, slider.model_id]
        self._display()

    def _opening(self, comm_id: str, widget: Widget) -> dict[str, Any]:
        state, paths, buffers = _remove_buffers(widget.get_state())
        widget.comm = Comm(comm_id, self._waiting)
        data = {"state": self._dialect(state), "buffer_paths": paths}
        _, data, text = _on_the_wire(comm_id, data, buffers)
        return {"id": comm_id, "data": data, "buffers": text, "version": self.protocol}

    def _dialect(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state of a widget as the front end's version of ipywidgets has it."""
        return state

    def _display(self) -> None:
        for model_id in self._shown:
            self.frame.evaluate("id => show(id)", model_id)
        self._flush()

    def _take(self, comm_id: str, data: str, buffers: list[str]) -> dict[str, Any]:
        """Hand a message of the page to the widget; return what Python has sent."""
        content = {"data": json.loads(data)}
        views = [memoryview(b64decode(buffer)) for buffer in buffers]
        self._widgets[comm_id]._handle_msg({"content": content, "buffers": views})
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        messages, self._waiting[:] = list(self._waiting), []
        w = self.lesson
        state = f"{w.mask.nonzero()[0].size} masked, X[1, 2] = {w.embeddings[1, 2]:.2f}"
        return {"messages": messages, "state": state}

    def _flush(self) -> None:
        self.frame.evaluate("reply => heard(reply)", self._reply())

    def widget(self, i: int = 0, *_: Any, **__: Any) -> Locator:
        found = self.frame.locator(".aw-root").nth(i)
        expect(found).to_have_attribute("data-ready", "true")
        found.scroll_into_view_if_needed()
        return found

    def state(self, text: str) -> None:
        expect(self.frame.locator(".python")).to_have_text(text)

    def press(self, name: str) -> None:
        if name == "Python masks":
            self.lesson.mask = causal_mask(6)
        else:
            self.lesson.reset()
            self.lesson.mask = None
        self._flush()

    def rerun(self) -> None:
        """Clear the output of every cell and display the widgets again, as a front end does."""
        self.frame.evaluate("() => document.querySelector('main').replaceChildren()")
        self._display()

    def from_outside(self) -> list[str]:
        """Return the addresses that the page has asked for, but for the fonts of html-manager."""
        own = ("data:", "blob:", "about:", f"{_ABSENT}@jupyter-widgets/")
        return [url for url in self.asked if not url.startswith(own)]


class VSCode(Hosted):
    """The webview of VS Code's notebooks, under the policy of `notebook.experimental.enableCsp`.

    The policy is stricter by every remote host that the policy of VS Code allows, and wider by
    `blob:`, from which anywidget imports the code of every widget.
    """

    policy = (
        "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'unsafe-inline'; img-src data:; font-src data:; child-src data:"
    )
    head = "<style>.cell-output-ipywidget-background { background: white !important; }</style>"

    def set_theme(self, theme: str) -> None:
        self.frame.evaluate(
            """theme => {
              const isDark = theme === 'dark';
              document.body.className = `vscode-${theme}`;
              document.body.dataset.vscodeThemeKind = `vscode-${theme}`;
              const { style } = document.documentElement;
              style.setProperty('--vscode-editor-background', isDark ? '#1f1f1f' : '#ffffff');
              style.setProperty('--vscode-editor-foreground', isDark ? '#cccccc' : '#3b3b3b');
            }""",
            theme,
        )


class Colab(Hosted):
    """The frame of an output in Colab: widgets of ipywidgets 7.

    The browser prefers the other theme, because Colab's light theme names itself nowhere.
    """

    policy = "default-src 'unsafe-inline' 'unsafe-eval' data: blob:"  # nothing leaves the page
    base = "@jupyter-widgets/base7"
    protocol = "2.0.0"
    head = "<script>window.google = { colab: {} }</script>"

    def _dialect(self, state: dict[str, Any]) -> dict[str, Any]:
        older = {"@jupyter-widgets/base": "1.2.0", "@jupyter-widgets/controls": "1.5.0"}
        modules = ((f"_{kind}_module", f"_{kind}_module_version") for kind in ("model", "view"))
        versions = {at: older[state[name]] for name, at in modules if state.get(name) in older}
        return {**state, **versions}

    def set_theme(self, theme: str) -> None:
        self.page.emulate_media(color_scheme="light" if theme == "dark" else "dark")
        self.frame.evaluate(
            "theme => document.documentElement.setAttribute('theme', theme)",
            "dark" if theme == "dark" else "default",
        )
