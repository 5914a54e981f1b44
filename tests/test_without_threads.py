"""A Python in a browser (Pyodide) has no threads: the lab starts none, and works without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import threading, _thread

def refuse(*_, **__):
    raise RuntimeError("can't start new thread")

threading.Thread.start = _thread.start_new_thread = refuse
"""
SENTENCE = """
import sys
from pathlib import Path
import numpy as np
from attnwidget import AttentionWidget, causal_mask

folder = Path(sys.argv[1])
w = AttentionWidget("The cat sat", d_model=4, d_k=2)
heard = []
w.observe(lambda event: heard.append(event["name"]), ["mask", "attention"])
paint = {"seq": 1, "do": "paint", "shape": [3, 3], "stroke": 1, "on": [5, 1], "off": []}
update = {"method": "update", "state": {"_commands": {"client": "p", "commands": [paint]}}}
w._handle_msg({"content": {"data": update}, "buffers": []})
assert w.mask[1, 2] and heard == ["mask", "attention"], heard
w.mask = causal_mask(3)
w.view, w.n_heads, w.mistake = "grid", 2, "no-scale"
ask = {"method": "custom", "content": {"type": "grid", "id": "p:1"}}
w._handle_msg({"content": {"data": ask}, "buffers": []})
assert not w.check(lambda Q, K: Q @ K.T).ok
assert w.undo() and w.redo()
AttentionWidget.compare(w, AttentionWidget("The dog sat", d_model=4, d_k=2)).align = "position"
AttentionWidget.from_arrays(np.full((2, 2, 3, 3), 1 / 3), "a b c").layer = 1
w._repr_mimebundle_()
w.mistake = None
for name in ("save_html", "save_module", "save_svg"):
    assert getattr(w, name)(folder / name).stat().st_size > 1000
w.close()
print("done")
"""
MODEL = """
sys.path.insert(0, sys.argv[2])
from models import DECODERS, tokenizer
m = AttentionWidget.from_model(
    DECODERS["gpt2"](), tokenizer(), "the cat", generate={"max_new_tokens": 3, "do_sample": False}
)
assert m.generation.state == "done", m.generation
assert m.attention.shape[0] > 2
m.layer = 1
m = AttentionWidget.from_model(DECODERS["gpt2"](), tokenizer(), "the cat sat", knockouts=[{}])
knock = {"seq": 1, "do": "knock_out", "add": [{"layer": 1}], "remove": [{}], "stroke": 1}
update = {"method": "update", "state": {"_commands": {"client": "p", "commands": [knock]}}}
m._handle_msg({"content": {"data": update}, "buffers": []})
assert m.run_state.state == "done" and m.knockouts[0].layer == 1, m.run_state
print("done")
"""


def run(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_sentence_and_arrays_work_without_threads(tmp_path):
    assert run(START + SENTENCE, tmp_path) == ["done"]


def test_a_model_is_captured_and_generates_without_threads(tmp_path):
    # torch imports modules that start threads of their own: the threads end when it is there.
    load = "import torch, transformers, transformers.generation\n"
    assert run(load + START + SENTENCE + MODEL, tmp_path, Path(__file__).parent) == ["done"] * 2


def test_the_refusal_of_threads_can_fail():
    with pytest.raises(AssertionError, match="can't start new thread"):
        run(START + "threading.Thread(target=print).start()")
