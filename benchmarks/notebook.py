"""Fifty widgets in a notebook of JupyterLab: the browser's memory, the file's bytes; the import.

A notebook with one widget and a notebook with many are opened, each in a browser of its own. Every
widget is a sentence of 6 tokens in a cell of its own, and has been on screen. The memory is what
the renderer and the GPU process keep after a garbage collection (on Linux the proportional set
size); the difference of the two notebooks is the price of the further widgets. JupyterLab's share
is the price of plain anywidgets that draw a canvas as large as the card's. The bytes of a further
widget in the saved file stand beside the bytes of the module, the stylesheet and the state, and
beside them the picture of the output, which `static_picture = False` leaves out. The import is
timed as whole processes, in turn with a process that imports anywidget and NumPy; the times are
medians of the runs.
Wanted: at most 3 MB a widget, at most 1.1 times the bytes, at most 1.3 times the import.
Run: python benchmarks/notebook.py [--widgets 50] [--runs 15]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from _lab import open_lab
from playwright.sync_api import expect

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "browser")]

from labnotebook import STATE_MIME, Notebook

MAKE = "from attnwidget import AttentionWidget"
OURS = f"{MAKE}\nAttentionWidget('The cat sat on the mat')"
PLAIN = """import anywidget
class Plain(anywidget.AnyWidget):
    _esm = '''export default { render({ el }) {
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 480;
      const paper = canvas.getContext('2d');
      for (let i = 0; i < 36; i++) paper.fillRect((i % 6) * 80, Math.floor(i / 6) * 80, 79, 79);
      el.append(canvas);
      el.className = 'plain';
    } }'''
Plain()"""
READY = {OURS: '.aw-root[data-ready="true"]', PLAIN: ".plain"}
MEMORY, BYTES, IMPORT = 3, 1.1, 1.3
PEER = "import anywidget, numpy"
IMPORTS = {
    PEER: PEER,
    "import attnwidget": "import attnwidget",
    "with AttentionWidget": MAKE,
}


def memory() -> float:
    """Return the memory in MB of the browser's processes that hold and paint a page."""
    processes = psutil.Process().children(recursive=True)
    return sum(map(resident, processes))


def resident(process: psutil.Process) -> float:
    """Return the memory of a renderer or a GPU process, 0 for any other."""
    try:
        if {"--type=renderer", "--type=gpu-process"}.isdisjoint(process.cmdline()):
            return 0
        info = process.memory_full_info()
    except psutil.Error:  # the process has ended meanwhile
        return 0
    return float(getattr(info, "pss", info.uss)) / 1e6


@dataclass(frozen=True)
class Opened:
    """A notebook with widgets: the browser's memory in MB, the bytes of the saved file."""

    memory: float
    size: int
    saved: nbformat.NotebookNode


def opened(cell: str, count: int) -> Opened:
    """Open a notebook with `count` widgets, and look at each."""
    with open_lab() as lab:
        notebook = lab.notebook([cell] * count)
        cards = notebook.page.locator(READY[cell])
        expect(cards).to_have_count(count, timeout=120_000)
        for i in [*range(count), 0]:
            cards.nth(i).scroll_into_view_if_needed()
        saved = notebook.save()
        collect(notebook)
        return Opened(memory(), notebook.path.stat().st_size, saved)


def collect(notebook: Notebook) -> None:
    """Collect the garbage of the page."""
    session = notebook.page.context.new_cdp_session(notebook.page)
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")


def bytes_of_state(saved: nbformat.NotebookNode) -> float:
    """Return the mean bytes of a card's state with module and stylesheet, as JSON."""
    states = saved.metadata["widgets"][STATE_MIME]["state"].values()
    cards = [json.dumps(model) for model in states if "_esm" in model["state"]]
    return statistics.mean(map(len, cards))


def bytes_of_pictures(saved: nbformat.NotebookNode) -> int:
    outputs = [output for cell in saved.cells for output in cell.outputs]
    return sum(len(output.data.get("image/png", "")) for output in outputs)


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def line(name: str, value: str, bound: str = "", *, met: bool = True) -> None:
    wanted = f"   at most {bound}{'' if met else ': MISSED'}" if bound else ""
    print(f"{name:40}{value:>16}{wanted}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widgets", type=int, default=50)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    more = options.widgets - 1

    few, many = opened(OURS, 1), opened(OURS, options.widgets)
    each = (many.memory - few.memory) / more
    host = (opened(PLAIN, options.widgets).memory - opened(PLAIN, 1).memory) / more
    line("browser memory of a further widget", f"{each:.2f} MB")
    line("  of it JupyterLab's share", f"{host:.2f} MB")
    line("  of it the card", f"{each - host:.2f} MB", f"{MEMORY} MB", met=each - host <= MEMORY)
    picture = (bytes_of_pictures(many.saved) - bytes_of_pictures(few.saved)) / more
    stored = (many.size - few.size) / more - picture
    ratio = stored / bytes_of_state(many.saved)
    line("bytes of a further widget in the file", f"{stored / 1e3:.0f} kB")
    line("  over module, stylesheet and state", f"{ratio:.3f}", f"{BYTES}", met=ratio <= BYTES)
    line("  the picture of its output", f"{picture / 1e3:.0f} kB")

    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(options.runs):
        for name, code in IMPORTS.items():
            times[name].append(seconds(code))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        ratio = median / medians[PEER]
        line(name, f"{median * 1e3:.0f} ms, {ratio:.2f}", f"{IMPORT}", met=ratio <= IMPORT)


if __name__ == "__main__":
    main()
