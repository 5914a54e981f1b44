"""The training of the induction models: the same code as the script's, and the phase change."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from attnwidget.capture.source import ModelSource
from attnwidget.demo import induction_model, induction_scores, training
from attnwidget.demo.training import LENGTH, WORDS, batch


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_two_trainings_are_the_same_and_leave_torch_as_found():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    runs = [[(step, weights(m)) for step, m in training(every=2, steps=3)] for _ in range(2)]
    assert [step for step, _ in runs[0]] == [0, 2, 3]
    for (_, first), (_, second) in zip(*runs, strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(runs[0][0][1], runs[0][1][1])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_the_steps_do_not_depend_on_the_steps_that_are_yielded():
    (_, often), (_, seldom) = (
        [(step, weights(model)) for step, model in training(every=every, steps=3)][-1]
        for every in (1, 3)
    )
    assert torch.equal(often, seldom)


def test_the_words_of_the_generator_are_those_of_the_seed():
    """The script trains with torch's own random numbers: the texts are the same."""
    torch.manual_seed(5)
    own = batch()
    again = batch(torch.Generator().manual_seed(5))
    assert all(torch.equal(own[name], again[name]) for name in own)


def test_a_text_repeats_and_only_what_is_known_is_asked():
    texts = batch(torch.Generator().manual_seed(3), 40)
    for ids, labels in zip(texts["input_ids"].tolist(), texts["labels"].tolist(), strict=True):
        assert min(ids) >= 1
        assert max(ids) < len(WORDS)
        for i in range(1, LENGTH):
            if labels[i] == -100:
                continue
            last = max(j for j in range(i - 1) if ids[j] == ids[i - 1])
            assert labels[i] == ids[i] == ids[last + 1]


@pytest.mark.parametrize("n_heads", [1, 4])
def test_the_scores_are_those_of_the_captured_maps(n_heads):
    model, _ = induction_model(n_heads)
    found = induction_scores(model, count=3, seed=4)
    texts = batch(torch.Generator().manual_seed(4), 3)
    matches, copied = [[] for _ in range(n_heads)], []
    for row in range(3):
        ids = texts["input_ids"][row]
        source = ModelSource.capture(model, None, inputs={"input_ids": ids[None]})
        maps = source.weights(1)
        with torch.no_grad():
            chances = model(ids[None]).logits[0].softmax(-1).numpy()
        for i in range(LENGTH - 1):
            if texts["labels"][row, i + 1] < 0:
                continue
            key = max(j for j in range(i) if ids[j] == ids[i]) + 1
            copied.append(chances[i, ids[i + 1]])
            for head in range(n_heads):
                matches[head].append(maps[head, i, key])
    assert found.copying == pytest.approx(np.mean(copied), abs=1e-5)
    assert found.prefix_matching == pytest.approx(max(map(np.mean, matches)), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n_heads": 2}, ValueError, r"n_heads: got 2, want one of \[1, 4\]"),
        ({"every": 0}, ValueError, "every: got 0, want at least 1"),
        ({"steps": 701}, ValueError, "steps: got 701, want at most 700: it ends there"),
        ({"every": 2.5}, TypeError, "every: got 2.5"),
    ],
)
def test_other_trainings_are_refused_at_once(options, error, words):
    with pytest.raises(error, match=words):
        training(**options)


def test_the_phase_change():
    """Prefix matching and copying rise within the same fifty steps, from almost nothing."""
    scores = {step: induction_scores(model) for step, model in training(every=25, steps=150)}
    before, after = scores[50], scores[150]
    assert max(before) < 0.12
    assert min(after) > 0.35
    for name in ("prefix_matching", "copying"):
        values = [getattr(score, name) for score in scores.values()]
        rises = [b - a for a, b in itertools.pairwise(values)]
        assert list(scores)[1:][int(np.argmax(rises))] in {100, 125}
        # Three quarters of the rise are between the steps 75 and 125.
        at = dict(zip(scores, values, strict=True))
        assert at[125] - at[75] > 0.75 * (at[150] - at[0])


def test_the_trained_models_have_both():
    for n_heads in (1, 4):
        found = induction_scores(induction_model(n_heads)[0])
        assert found.copying > 0.98
        assert found.prefix_matching > 0.4
