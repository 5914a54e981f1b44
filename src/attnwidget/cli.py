"""The command ``attnwidget``: a sentence as a page or a figure, the lab, a demo."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnwidget import __version__

if TYPE_CHECKING:
    from attnwidget import AttentionWidget

DEMO = "The cat sat on the mat"
NOTEBOOK = "self_attention_lab.ipynb"
# In a wheel the notebook is in the package, in a clone beside the sources.
_PLACES = (Path(__file__).parent / "notebooks", Path(__file__).parents[2] / "notebooks")
_VIEWS = ("heatmap", "steps", "lines", "neuron", "grid")
_FIGURES = ("svg", "pdf", "png")

_DESCRIPTION = """\
See the attention of a sentence or of a model, and change it.

  attnwidget                         the lab in JupyterLab, or the demo where JupyterLab is missing
  attnwidget lab                     the lab: a notebook in JupyterLab
  attnwidget demo                    the demo: a page in the browser, without Jupyter
  attnwidget "A sentence"            the sentence as a page in the browser
  attnwidget "A sentence" -o FILE    the page as a file; FILE.mjs is a module for a web page
  attnwidget "A text" --model NAME   the attention of a model (needs torch and transformers)
"""
_EPILOG = """\
A page is one file that works without Python and without a network.
Exit status: 0 done, 1 it failed, 2 the command was not understood.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options, extra = parser.parse_known_args(arguments)
    _check(parser, options, extra)
    try:
        return _run(options, extra)
    except KeyboardInterrupt:
        return 1
    # The person at the terminal reads why; a traceback is about code that they did not write.
    except Exception as error:
        words = str(error) or type(error).__name__
        print(f"attnwidget: {words}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attnwidget",
        usage="attnwidget [lab | demo | TEXT] [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help="a sentence, “lab” or “demo”")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the page (.mjs: the module)")
    for kind in _FIGURES:
        parser.add_argument(f"--{kind}", metavar="FILE", help=f"write the figure as {kind.upper()}")
    parser.add_argument("--model", metavar="NAME", help="a model's folder, or its name at the hub")
    parser.add_argument("--view", choices=_VIEWS, help="what is shown first (heatmap)")
    parser.add_argument("--layer", type=int, metavar="N", help="the layer of the model")
    parser.add_argument("--head", type=int, metavar="N", help="the head of the model")
    parser.add_argument("--title", metavar="TEXT", help="the title of the map and of the page")
    parser.add_argument("--max-bytes", type=int, metavar="N", help="the most bytes of the page")
    parser.add_argument("--version", action="version", version=f"attnwidget {__version__}")
    return parser


def _check(
    parser: argparse.ArgumentParser, options: argparse.Namespace, extra: Sequence[str]
) -> None:
    """End with status 2 where the options do not go together."""
    is_lab = options.text == "lab" or options.text is None
    if extra and not (is_lab and options.text):
        parser.error(f"unknown: {' '.join(extra)}")
    given = [
        name
        for name in ("output", "model", "view", "layer", "head", "title", "max_bytes", *_FIGURES)
        if getattr(options, name) is not None
    ]
    if is_lab and given:
        parser.error(f"--{given[0].replace('_', '-')}: it needs a TEXT")
    for name in ("layer", "head"):
        if getattr(options, name) is not None and options.model is None:
            parser.error(f"--{name}: it needs --model")
    suffix = Path(options.output or "").suffix.lower()
    if suffix[1:] in _FIGURES:
        parser.error(f"--output: it writes a page; for a figure use --{suffix[1:]} FILE")
    has_figure = any(getattr(options, kind) for kind in _FIGURES)
    if options.max_bytes is not None and has_figure and options.output is None:
        parser.error("--max-bytes: it is about the page; add --output FILE")
    if options.text is not None and not options.text.strip():
        parser.error("TEXT: it is empty")


def _run(options: argparse.Namespace, extra: Sequence[str]) -> int:
    if options.text == "lab" or (options.text is None and has_jupyterlab()):
        return open_lab(extra)
    widget = _widget(options)
    figures = {kind: getattr(options, kind) for kind in _FIGURES if getattr(options, kind)}
    for kind, path in figures.items():
        getattr(widget, f"save_{kind}")(path)
        _say_written(Path(path))
    size = {} if options.max_bytes is None else {"max_bytes": options.max_bytes}
    if options.output is not None:
        is_module = Path(options.output).suffix.lower() in {".mjs", ".js"}
        save: Any = widget.save_module if is_module else widget.save_html
        _say_written(save(options.output, **size))
    elif not figures:
        _open(_temporary_page(widget, size))
    return 0


def _widget(options: argparse.Namespace) -> AttentionWidget:
    from attnwidget import AttentionWidget

    look: dict[str, Any] = {"view": options.view or "heatmap", "title": options.title}
    if options.model is None:
        text = DEMO if options.text in {None, "demo"} else options.text
        return AttentionWidget(text, **look)
    from attnwidget.capture.load import load

    model, tokenizer = load(options.model)
    head = 0 if options.head is None else options.head
    text = DEMO if options.text == "demo" else options.text
    return AttentionWidget.from_model(
        model, tokenizer, text, layer=options.layer, head=head, **look
    )


def _temporary_page(widget: AttentionWidget, size: dict[str, Any]) -> Path:
    """Write a page for the browser; it stays, because the browser reads it after the command."""
    folder = Path(tempfile.mkdtemp(prefix="attnwidget-"))
    try:
        return widget.save_html(folder / "attention.html", **size)
    except BaseException:
        folder.rmdir()
        raise


def has_jupyterlab() -> bool:
    """Whether JupyterLab is installed beside this package."""
    return importlib.util.find_spec("jupyterlab") is not None


def open_lab(extra: Sequence[str] = ()) -> int:
    """Open the lab notebook in JupyterLab; `extra` are options of JupyterLab."""
    if not has_jupyterlab():
        raise RuntimeError(
            "the lab needs JupyterLab: pip install jupyterlab (or try: attnwidget demo)"
        )
    lab = subprocess.Popen([sys.executable, "-m", "jupyterlab", str(_notebook()), *extra])
    while lab.returncode is None:
        # JupyterLab has the interrupt too, asks whether to end, and ends its kernels.
        with suppress(KeyboardInterrupt):
            lab.wait()
    return 0 if lab.returncode == 0 else 1


def _notebook() -> Path:
    """Return the lab notebook: that of a clone itself, else a copy in the current folder."""
    in_package, in_clone = (folder / NOTEBOOK for folder in _PLACES)
    if not in_package.exists():
        if not in_clone.exists():
            raise FileNotFoundError(f"the notebook {NOTEBOOK} is not installed")
        return in_clone
    copy = Path.cwd() / NOTEBOOK
    if not copy.exists():  # a copy that was worked in stays as it is
        shutil.copyfile(in_package, copy)
        print(f"The lab notebook was copied to {copy}")
    return copy


def _open(page: Path) -> None:
    if not webbrowser.open(page.as_uri()):
        raise RuntimeError(f"no browser was found; open this file yourself: {page}")
    print(f"Opened {page}")


def _say_written(path: Path) -> None:
    print(f"Wrote {path} ({path.stat().st_size / 1000:,.0f} kB)")
