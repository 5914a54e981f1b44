"""The built bundle that draws a widget in the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import traitlets

_STATIC = Path(__file__).parents[1] / "static"


def built(name: str, without: str) -> Any:
    """Return a trait of a built file's text; of a checkout that was never built, a line says so.

    With ``ANYWIDGET_HMR=1`` it is the path: anywidget then watches the file and reloads it. For a
    path, anywidget connects each widget to the watcher and never disconnects it, so that no widget
    would be freed after it is closed.
    """
    path = _STATIC / name
    if not path.exists():
        text = without % "attnwidget was not built: run `make build`"
    elif os.environ.get("ANYWIDGET_HMR") == "1":
        return path
    else:
        text = path.read_text(encoding="utf-8")
    return traitlets.Unicode(text).tag(sync=True)
