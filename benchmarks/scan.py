"""A scan over all heads, beside as many whole forward passes.

A model of GPT-2's small shape (12 layers of 12 heads, d_model 768, random weights) reads 64 tokens.
The scan removes each of the 144 heads and measures the logit of a token at the last position; the
passes start at the layer that is edited, with copies of the text in a batch. The peers are 144
passes of the whole model, with the logits of all positions, and with those of the last position
alone. They take turns with the scan; the time of 144 passes is 144 times that of a pass. Three
heads are compared with a pass of their own under `knock_out`.
Wanted: at most 0.6 of the whole passes.
Run: python benchmarks/scan.py [--n 64] [--runs 3]
"""

from __future__ import annotations

import os

# Before torch is loaded: one thread.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import time

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from attnwidget import knock_out, scan

LAYERS, HEADS, TOKEN = 12, 12, 11
PASSES = 12  # of the whole model, between two scans


def measure(n: int, runs: int) -> float:
    """Print the times at `n` tokens; return the ratio to whole passes."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_positions=max(64, n))).eval()
    ids = torch.randint(0, 50_000, (1, n))

    def logit(**options):
        with torch.no_grad():
            return float(model(ids, **options).logits[0, -1, TOKEN])

    def passes(**options) -> float:
        logit(**options)
        start = time.perf_counter()
        for _ in range(PASSES):
            logit(**options)
        return (time.perf_counter() - start) / PASSES * LAYERS * HEADS

    times: dict[str, list[float]] = {"scan": [], "whole": [], "last": []}
    for _ in range(runs):
        times["whole"].append(passes())
        times["last"].append(passes(logits_to_keep=1))
        start = time.perf_counter()
        result = scan(model, ids, TOKEN)
        times["scan"].append(time.perf_counter() - start)
    assert not result.ended
    plain = logit()
    for layer, head in ((0, 3), (5, 7), (11, 11)):
        with knock_out(model, [{"layer": layer, "head": head}]):
            assert abs(result.values[layer, head] - (logit() - plain)) < 1e-4
    best = {name: float(np.min(each)) for name, each in times.items()}
    whole, last = best["scan"] / best["whole"], best["scan"] / best["last"]
    print(
        f"n = {n}: 144 heads scanned in {best['scan']:.2f} s; 144 whole passes {best['whole']:.2f} "
        f"s, ratio {whole:.2f}; with the logits of the last position alone {best['last']:.2f} s, "
        f"ratio {last:.2f}"
    )
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    ratio = measure(options.n, options.runs)
    if ratio > 0.6:
        raise SystemExit(f"wanted at most 0.6, got {ratio:.2f}")


if __name__ == "__main__":
    main()
