"""Edits from several threads at once: JupyterLab hands the messages of a page to a thread."""

from __future__ import annotations

import threading

from byhand import commands, number
from torch_reference import check


def test_two_threads_may_edit_at_once(w):
    # JupyterLab hands widget messages to a thread beside the one that runs cells.
    def click(row):
        for i in range(60):
            paint = {"seq": i + 1, "on": [row * 6 + i % 6, 1]}
            w.set_state(commands((6, 6), paint, client=f"page{row}"))
            w.toggle(row + 3, i % 6)

    threads = [threading.Thread(target=click, args=(row,)) for row in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.mask[:3].all()
    assert not w.mask[3:].any()
    check(w)


def test_threads_may_set_numbers_settings_and_sentences_at_once(w):
    failed = []

    def run(act):
        try:
            for i in range(25):
                act(i)
        except Exception as error:
            failed.append(error)

    def group(i):
        with w.hold_trait_notifications():
            w.seed = i
            w.d_k = 2 + i % 3

    def type_in(i):
        sent = {**number(w, "Q", (0, 0), float(i)), "seq": i + 1}
        w.set_state(commands(w.mask.shape, sent))

    acts = [
        group,
        type_in,
        lambda i: setattr(w, "tokens", ["t"] * (3 + i % 4)),
        lambda i: w.undo(),
        lambda i: w.output_shift,
    ]
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert not w.error
    check(w)
