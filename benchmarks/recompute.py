"""Attention recomputed in NumPy beside torch, and one toggled cell beside all of it.

12 heads, d = 64, float32, weights and output both: what the widget computes when an input changes,
and torch computing the same weights and output, one thread each, taking turns. Then one cell of the
mask: the same computation told that one cell changed, and, on a widget of one head, `toggle` with
everything that it keeps right (history, patch, notice).
Wanted: at most 1.5 times torch's time; for a cell, at most 0.02 of the full recompute at n = 1024.
Run: python benchmarks/recompute.py [--sizes 512 1024] [--heads 12]
"""

from __future__ import annotations

import os

# Before NumPy is loaded: one thread each.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import statistics
import time
from itertools import count

import numpy as np
import torch

from attnwidget import AttentionWidget
from attnwidget.session.maps import HeadMaps
from attnwidget.sources.api import HeadInputs

D = 64


def turns(runs: int, **functions) -> dict[str, float]:
    """Return the median seconds of each, called one after the other in every run."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for run in range(runs + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if run >= 2:  # warm
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(n: int, heads: int) -> None:
    rng = np.random.default_rng(0)
    Q, K, V = (rng.standard_normal((heads, n, D)).astype(np.float32) for _ in range(3))
    q, k, v = (torch.from_numpy(a) for a in (Q, K, V))
    inputs = HeadInputs(Q, K, V, D**-0.5)
    hidden = np.zeros((n, n), bool)

    def ours():
        return HeadMaps(inputs, hidden.copy())

    def theirs():
        weights = torch.softmax(q @ k.mT * D**-0.5, -1)
        return weights, weights @ v

    weights, output = theirs()
    assert abs(ours().attention - weights.numpy()).max() < 1e-5
    assert abs(ours().output - output.numpy()).max() < 1e-4
    maps = ours()
    cell = count(1, 7919)

    def one_cell():
        mask = maps.mask.copy()
        mask.flat[next(cell) % mask.size] ^= True
        maps.remasked(mask)

    widget = AttentionWidget([f"t{i}" for i in range(n)], d_model=D)
    one = HeadInputs(widget.Q, widget.K, widget.V, widget.scale)
    place = count(1, 7919)

    def toggle():
        at = next(place)
        widget.toggle(at // n % n, at % n)

    took = turns(7, ours=ours, theirs=theirs, one_cell=one_cell)
    alone = turns(7, full=lambda: HeadMaps(one, hidden.copy()), toggle=toggle)
    print(
        f"{n:5} {took['ours'] * 1e3:9.1f} {took['theirs'] * 1e3:9.1f} "
        f"{took['ours'] / took['theirs']:6.2f} {took['one_cell'] * 1e3:12.2f} "
        f"{took['one_cell'] / took['ours']:7.4f} {alone['full'] * 1e3:12.1f} "
        f"{alone['toggle'] * 1e3:9.2f} {alone['toggle'] / alone['full']:7.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--heads", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{options.heads} heads, d = {D}, float32; then a widget of one head")
    print("    n   NumPy ms  torch ms  ratio  one cell ms   ratio   widget ms  toggle ms   ratio")
    for n in options.sizes:
        measure(n, options.heads)
    print("wanted: 1.5 at most beside torch, and one cell at most 0.02 of all at n = 1024")


if __name__ == "__main__":
    main()
