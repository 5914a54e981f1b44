"""What a knocked-out edge costs in a pass, beside the same edit as a mask of all queries and keys.

A GPT-2 of two layers has the attention of the small model (12 heads, d_model 768, random weights)
and hardly any MLP, so that the time is that of attention. An edge of a head in each layer is taken
out: by `knock_out`, which computes one row again, and by a mask tensor (1, 12, n, n) that is made
before, and that transformers adds to the scores. The cost is the time above that of the plain pass,
for a layer; the passes take turns. The two edited passes must agree.
Wanted: the mask costs at least 20 times as much at n = 2048.
Run: python benchmarks/knock_out.py [--sizes 512 2048] [--runs 21]
"""

from __future__ import annotations

import os

# Before torch is loaded: one thread.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse

import torch
from recompute import turns
from transformers import GPT2Config, GPT2Model

from attnwidget import knock_out

LAYERS, HEADS = 2, 12


def measure(n: int, runs: int) -> float:
    """Print the cost of each at `n` tokens; return the ratio."""
    torch.manual_seed(0)
    model = GPT2Model(GPT2Config(n_layer=LAYERS, n_head=HEADS, n_positions=n, n_inner=8)).eval()
    ids = torch.randint(0, 50_000, (1, n))
    query, key, head = n - 1, n // 2, 3
    edits = [{"layer": i, "head": head, "query": query, "key": key} for i in range(LAYERS)]

    def plain():
        return model(ids, use_cache=False).last_hidden_state

    def by_rows():
        with knock_out(model, edits):
            return plain()

    mask = torch.full((n, n), float("-inf")).triu(1).repeat(1, HEADS, 1, 1)
    mask[0, head, query, key] = float("-inf")

    def by_mask():
        return model(ids, attention_mask=mask, use_cache=False).last_hidden_state

    with torch.no_grad():
        assert (by_rows() - by_mask()).abs().max() < 1e-4
        assert (by_rows() - plain()).abs().max() > 1e-6
        times = turns(runs, plain=plain, rows=by_rows, mask=by_mask)
    rows, masked = ((times[name] - times["plain"]) * 1e3 / LAYERS for name in ("rows", "mask"))
    # A row costs less than the noise of a long pass: at least 1 ms is counted.
    ratio = masked / max(rows, 1.0)
    print(
        f"n = {n:5}: plain pass {times['plain'] * 1e3:7.1f} ms; a layer more with rows "
        f"{rows:6.2f} ms, with a mask {masked:7.2f} ms, ratio {ratio:6.1f}"
    )
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    ratios = {n: measure(n, options.runs) for n in options.sizes}
    if ratios.get(2048, 20) < 20:
        raise SystemExit(f"wanted at least 20 at n = 2048, got {ratios[2048]:.1f}")


if __name__ == "__main__":
    main()
