"""The time of one edited pass, beside the same knock-out written with nnsight.

A GPT-2 of the shape of the small model (12 layers, 12 heads, random weights) reads n tokens, and an
edge of a head is taken out before the softmax: by `knock_out`, and by nnsight, which sets the
score to -inf inside of transformers' eager attention. Both run on the same weights, in an
environment of their own in build/peer, which the script makes when nnsight is not installed. The
passes take turns, and must agree within 1e-4.
Run: python benchmarks/peer.py [--sizes 64 256] [--runs 21]
"""

from __future__ import annotations

import os

# Before torch is loaded: one thread.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build" / "peer"
LAYER, HEAD = 5, 3


def measure(n: int, runs: int) -> None:
    """Print the times of a pass of `n` tokens."""
    import torch
    from nnsight import NNsight
    from recompute import turns
    from transformers import GPT2Config, GPT2LMHeadModel

    from attnwidget import knock_out

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    eager = GPT2LMHeadModel(GPT2Config(attn_implementation="eager")).eval()
    eager.load_state_dict(model.state_dict())
    ids = torch.randint(0, 50_000, (1, n))
    query, key = n - 1, n // 2
    edit = {"layer": LAYER, "head": HEAD, "query": query, "key": key}
    traced = NNsight(eager)

    def plain() -> Any:
        return model(ids, use_cache=False).logits

    def plain_eager() -> Any:
        return eager(ids, use_cache=False).logits

    def ours() -> Any:
        with knock_out(model, [edit]):
            return plain()

    def theirs() -> Any:
        with traced.trace(ids, use_cache=False):
            attention = traced.transformer.h[LAYER].attn.source.attention_interface_1
            attention.source.nn_functional_softmax_0.input[:, HEAD, query, key] = float("-inf")
            logits = traced.output.logits.save()
        return logits  # noqa: RET504 - nnsight runs the block apart, which cannot return

    with torch.no_grad():
        assert (ours() - theirs()).abs().max() < 1e-4
        assert (ours() - plain()).abs().max() > 1e-6
        times = turns(runs, plain=plain, eager=plain_eager, knock_out=ours, nnsight=theirs)
    ms = {name: seconds * 1e3 for name, seconds in times.items()}
    print(
        f"n = {n:4}: plain {ms['plain']:6.1f} ms, plain eager {ms['eager']:6.1f} ms, "
        f"knock_out {ms['knock_out']:6.1f} ms, nnsight {ms['nnsight']:6.1f} ms, "
        f"nnsight ÷ knock_out {ms['nnsight'] / ms['knock_out']:4.2f}",
        flush=True,
    )


def in_own_environment() -> None:
    """Run this script where nnsight is installed; install it there first."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        venv.create(PLACE, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        # torch first and exactly, as in the Makefile.
        subprocess.run([*install, "torch==2.13.0"], check=True)
        subprocess.run([*install, "nnsight==0.8.1", "-e", f"{ROOT}[models]"], check=True)
    raise SystemExit(subprocess.run([str(python), *sys.argv]).returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    if find_spec("nnsight") is None:
        in_own_environment()
    for n in options.sizes:
        measure(n, options.runs)


if __name__ == "__main__":
    main()
