"""How much memory stays when widgets are closed: ours, beside plain anywidgets with a file.

MiniLM (6 layers of 12 heads) reads n tokens, again and again: each widget of `from_model` is
opened, asked for its grid, and closed. The growth of the process's resident memory is what the
widgets have left behind; the model is loaded and a few widgets are opened and closed before the
first measurement, and free memory goes back to the system before each. The peer is as many plain
anywidgets with bytes as large as one map (10 bytes a cell) and a Path as `_esm`, in the same
process: anywidget keeps each of them, because it connects them to the watcher of the file.
Wanted: 200 widgets leave less than 10 MB.
Run: python benchmarks/memory.py [--widgets 200] [--size 128]
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import psutil
import torch
import traitlets
from capture import minilm, words
from transformers import logging

from attnwidget import AttentionWidget

if TYPE_CHECKING:
    from collections.abc import Callable

WANTED = 10
WARM_UP = 5


def resident() -> float:
    """Return the resident memory of this process in MB, without what its allocator has free.

    Free memory inside the heap varies by 20 MB from one widget to the next.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return float(psutil.Process().memory_info().rss) / 1e6


def growth(make: Callable[[], Any], count: int) -> tuple[float, int]:
    """Open and close `count` widgets; return the growth in MB, and how many are still alive."""

    def once() -> weakref.ref[Any]:
        widget = make()
        widget.close()
        return weakref.ref(widget)

    for _ in range(WARM_UP):
        once()
    before = resident()
    references = [once() for _ in range(count)]
    grown = resident() - before
    return grown, sum(reference() is not None for reference in references)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widgets", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    model, tokenizer = minilm()
    text = words(options.size)

    def ours() -> AttentionWidget:
        widget = AttentionWidget.from_model(model, tokenizer, text)
        widget._handle_custom_msg({"type": "grid", "id": "page:1"}, [])
        return widget

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.js"
        path.write_text("export default { render({ el }) { el.textContent = 'plain' } }")

        class Plain(anywidget.AnyWidget):
            _esm = path
            data = traitlets.Bytes().tag(sync=True)

        def plain() -> Plain:
            return Plain(data=b"a" * 10 * options.size**2)

        print(f"{options.widgets} widgets opened and closed, n = {options.size}")
        print(f"{'':22}{'MB grown':>9} {'still alive':>12}   wanted")
        grown, kept = growth(ours, options.widgets)
        met = grown < WANTED or options.widgets > 200
        print(
            f"{'attnwidget':22}{grown:9.1f} {kept:12}   "
            f"less than {WANTED} MB{'' if met else ': MISSED'}"
        )
        grown, kept = growth(plain, options.widgets)
        print(f"{'a plain anywidget':22}{grown:9.1f} {kept:12}")


if __name__ == "__main__":
    main()
