"""Fifty widgets in a notebook of JupyterLab: the browser's memory, the file's bytes; the import.

A notebook with one widget and a notebook with many are opened, each in a browser of its own. Every
widget is a sentence of 6 tokens in a cell of its own, and has been on screen. The memory is what
the renderer and the GPU process keep after a garbage collection (on Linux the proportional set
size); the difference of the two notebooks is the price of the further widgets. A plain anywidget
that draws a canvas as large as the card's is the peer. The bytes of a further widget in the saved
file, with the picture of the output, stand beside the bytes of the module, the stylesheet and the
state. The import is timed as whole processes, in turn with a process that imports anywidget and
NumPy; the times are medians of the runs.
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
from pathlib import Path

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


def opened(cell: str, count: int) -> tuple[float, Path, dict]:
    """Open a notebook with `count` widgets; return the memory in MB, the bytes, the saved state."""
    with open_lab() as lab:
        notebook = lab.notebook([cell] * count)
        expect(notebook.page.locator(READY[cell])).to_have_count(count, timeout=120_000)
        cards = notebook.page.locator(READY[cell])
        for i in range(count):
            cards.nth(i).scroll_into_view_if_needed()
        cards.first.scroll_into_view_if_needed()
        saved = notebook.save()
        size = notebook.path.stat().st_size
        collect(notebook)
        return memory(), size, saved.metadata["widgets"][STATE_MIME]["state"]


def collect(notebook: Notebook) -> None:
    """Collect the garbage of the page."""
    session = notebook.page.context.new_cdp_session(notebook.page)
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")


def bytes_of(states: dict) -> float:
    """Return the mean bytes of the states of the cards, with module and stylesheet, as JSON."""
    cards = [model for model in states.values() if "_esm" in model["state"]]
    text = [json.dumps(model, separators=(",", ":"), ensure_ascii=False) for model in cards]
    return statistics.mean(len(each.encode()) for each in text)


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def line(name: str, value: str, wanted: str, *, met: bool) -> None:
    print(f"{name:44}{value:>24}   {wanted}{'' if met else ': MISSED'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widgets", type=int, default=50)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    more = options.widgets - 1

    first, small, _ = opened(OURS, 1)
    many, large, states = opened(OURS, options.widgets)
    each = (many - first) / more
    line(
        "browser memory of a further widget",
        f"{each:.2f} MB",
        f"<= {MEMORY} MB",
        met=each <= MEMORY,
    )
    first, many = opened(PLAIN, 1)[0], opened(PLAIN, options.widgets)[0]
    plain = (many - first) / more
    line(
        "  of a plain anywidget with a canvas",
        f"{plain:.2f} MB",
        f"ratio {each / plain:.1f}",
        met=True,
    )
    stored, needed = (large - small) / more, bytes_of(states)
    ratio = stored / needed
    kB = f"{stored / 1e3:.0f} of {needed / 1e3:.0f} kB, {ratio:.2f}"
    line("bytes in the file, of module and state", kB, f"<= {BYTES}", met=ratio <= BYTES)

    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(options.runs):
        for name, code in IMPORTS.items():
            times[name].append(seconds(code))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        ratio = median / medians[PEER]
        line(name, f"{median * 1e3:.0f} ms, {ratio:.2f}", f"<= {IMPORT}", met=ratio <= IMPORT)


if __name__ == "__main__":
    main()
