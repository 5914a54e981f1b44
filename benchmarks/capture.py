"""What opening a model costs, beside the model's own forward pass under sdpa, in one process.

A GPT-2 of random weights (768 wide, 6 or 12 layers of 12 heads) reads n tokens. Three acts take
turns: the plain pass, its inputs made beforehand; the capture, which reads the text, runs the same
pass and keeps what every layer's attention was given; and `AttentionWidget.from_model`, which
captures and computes the one head that it shows. The ratios are medians over the turns of each
turn's own. Wanted: from_model at most 1.15 times the plain pass.
Run: python benchmarks/capture.py [--layers 6 12] [--sizes 32 128 256 512] [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, Any

import torch
from _models import HEADS, decoder, text
from transformers import logging

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


def measure(model: Any, tokenizer: Any, n: int, runs: int) -> list[list[float]]:
    """Return the times of the plain pass, of the capture, and of from_model, turn by turn."""
    said = text(n)
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
    for run in range(WARM_UP + runs):
        for act, its in zip(acts, times, strict=True):
            took = seconds(act)
            if run >= WARM_UP:
                its.append(took)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, nargs="+", default=[6, 12])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 128, 256, 512])
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    middle = statistics.median
    print(
        f" heads    n  {'plain ms':>9} {'capture ms':>11} {'ratio':>6} {'from_model ms':>14} ratio"
    )
    for layers in options.layers:
        model, tokenizer = decoder(layers)
        assert model.config._attn_implementation == "sdpa"
        for n in options.sizes:
            plain, capture, whole = measure(model, tokenizer, n, options.runs)
            ratios = [
                middle(t / p for t, p in zip(times, plain, strict=True))
                for times in (capture, whole)
            ]
            missed = "" if ratios[1] <= WANTED else "  MISSED"
            print(
                f"{f'{layers}x{HEADS}':>6} {n:4}  {middle(plain) * 1e3:9.1f} "
                f"{middle(capture) * 1e3:11.1f} {ratios[0]:6.2f} {middle(whole) * 1e3:14.1f} "
                f"{ratios[1]:5.2f}{missed}",
                flush=True,
            )
    print(f"wanted: from_model at most {WANTED} times the plain pass at every n")


if __name__ == "__main__":
    main()
