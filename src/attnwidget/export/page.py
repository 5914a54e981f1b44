"""A page and a module of a saved state, each a file that needs no Python and no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from attnwidget.export.saved_state import TooLargeError, saved_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnwidget.session.snapshot import Snapshot

# Characters of the title of the page, which a browser shows on a tab; the card has the whole title.
_TITLE_LETTERS = 300
_STATIC = Path(__file__).parents[1] / "static"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{css}
</style>
<style>
body {{ margin: 16px; background: #fff; color: #5f6068; font: 13px/1.5 system-ui, sans-serif }}
main > .aw-root, footer {{ margin-inline: auto }}
h1 {{ position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap }}
footer {{ max-width: 1120px; margin-top: 12px }}
@media (prefers-color-scheme: dark) {{ body {{ background: #17181c; color: #a0a1ab }} }}
@media (max-width: 520px) {{ body {{ margin: 8px }} }}
</style>
</head>
<body>
<main id="attention"><h1>{title}</h1></main>
<noscript>This page draws its maps with JavaScript, which is switched off here.</noscript>
<footer>This page works without Python and without a network. Edits stay in this page until it is
closed or loaded again. {needs}: <code>pip install attnwidget</code>.</footer>
<script type="application/json" id="state">{state}</script>
<script type="module">{script}</script>
</body>
</html>
"""
_START = """
const state = JSON.parse(document.getElementById("state").textContent);
await openSaved({ el: document.getElementById("attention") }, state);
"""
_MODULE = """
const state = {state};
state.css = {css};
export const render = ({{ el, signal }}) => openSaved({{ el, signal }}, state);
export default {{ render }};
"""
_NEEDS_OF_SENTENCE = "Another sentence, other sizes and other seeds need Python"
_NEEDS_OF_MAPS = "Another text, other rows and columns and BertViz's views need Python"


def save_html(
    now: Snapshot, path: str | os.PathLike[str], *, title: str | None, max_bytes: int
) -> Path:
    """Write the page of a state; see `AttentionWidget.save_html`."""
    return _write(now, path, max_bytes, lambda state: page(state, title or _title(now), now))


def save_module(now: Snapshot, path: str | os.PathLike[str], *, max_bytes: int) -> Path:
    """Write the module of a state; see `AttentionWidget.save_module`."""
    return _write(now, path, max_bytes, module)


def page(state: str, title: str, now: Snapshot) -> str:
    """Return the page of a state in JSON. Its script alone may run, and nothing may be loaded."""
    script = (_built("page.js") + _START).replace("</script", "<\\/script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _PAGE.format(
        policy=policy,
        title=html.escape(title if len(title) <= _TITLE_LETTERS else f"{title[:_TITLE_LETTERS]}…"),
        css=_built("widget.css"),
        needs=_NEEDS_OF_SENTENCE if now.source.seed is not None else _NEEDS_OF_MAPS,
        state=state,
        script=script,
    )


def module(state: str) -> str:
    """Return the module of a state in JSON: anywidget's `render`, with its stylesheet inside."""
    # JSON in ASCII is JavaScript.
    return _built("page.js") + _MODULE.format(state=state, css=json.dumps(_built("widget.css")))


def _write(
    now: Snapshot, path: str | os.PathLike[str], max_bytes: int, build: Callable[[str], str]
) -> Path:
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int):
        raise TypeError(f"max_bytes: got {max_bytes!r}, want a number of bytes")
    target = Path(os.fspath(path)).expanduser()
    if target.is_dir():
        raise IsADirectoryError(f"path: {target} is a folder, want the name of a file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path: there is no folder {target.parent}; make it first")
    frame = len(build("{}").encode("utf-8", "replace"))
    try:
        state = saved_state(now, max_bytes - frame)
    except TooLargeError as error:
        raise ValueError(
            f"max_bytes: got {max_bytes:,}, want at least {max_bytes + error.by:,}, "
            "which the head on screen needs"
        ) from None
    data = build(state.text()).encode("utf-8", "replace")
    real = target.resolve()
    if real.exists() and not real.is_file():
        real.write_bytes(data)  # such as /dev/stdout, which no file may replace
        return target
    # A file that is written in part would take the place of a whole one.
    temporary = real.parent / f".attnwidget-{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
        os.replace(temporary, real)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target


def _title(now: Snapshot) -> str:
    return now.title or ("Attention" if now.source.is_model else "Self-attention")


def _built(name: str) -> str:
    path = _STATIC / name
    if not path.exists():
        raise FileNotFoundError(f"attnwidget was not built, {name} is missing: run `make build`")
    return path.read_text(encoding="utf-8")
