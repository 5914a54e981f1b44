"""The maps that a mistake makes, against torch, and the lines of code of the mistakes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from byhand import unpack
from recording import RecordingComm

from attnwidget import AttentionWidget
from attnwidget.lessons.mistakes import MISTAKES

SIZES = {"d_model": 6, "d_v": 3, "init": "normal", "seed": 3}
MASK = np.array([[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])


def right_scores(w):
    """Q Kᵀ · scale + bias of every head, in torch."""
    Q, K, bias = (torch.from_numpy(np.array(a)) for a in (w.Q, w.K, w.bias))
    return Q @ K.mT * w.scale + bias


def softmax(scores, temperature, dim=-1):
    return torch.softmax(scores / temperature, dim)


def wrong(name, w):
    """Scores and weights of every head with the mistake, in torch."""
    Q, K, bias = (torch.from_numpy(np.array(a)) for a in (w.Q, w.K, w.bias))
    m, s, T = torch.from_numpy(np.array(w.mask)), right_scores(w), w.temperature
    hidden = s.masked_fill(m, -torch.inf)
    e = torch.exp((hidden - hidden.amax(-1, keepdim=True)) / T)
    raw = Q @ K.mT + bias
    twice = Q * w.scale @ K.mT * w.scale + bias
    mixed = Q @ K * w.scale + bias
    return {
        "no-scale": lambda: (raw, softmax(raw.masked_fill(m, -torch.inf), T)),
        "in-place": lambda: (twice, softmax(twice.masked_fill(m, -torch.inf), T)),
        "not-transposed": lambda: (mixed, softmax(mixed.masked_fill(m, -torch.inf), T)),
        "wrong-axis": lambda: (s, softmax(hidden, T, -2)),
        "keepdims": lambda: (s, e / e.sum(-1)[..., None, :]),
        "mask-sign": lambda: (s, softmax(s + 1e9 * m, T)),
        "mask-after-softmax": lambda: (s, softmax(s, T) * ~m),
        "mask-multiplied": lambda: (s, softmax(s * ~m, T)),
        "overflow": lambda: (s, torch.exp(hidden / T) / torch.exp(hidden / T).sum(-1, True)),
    }[name]()


@pytest.mark.parametrize("n_heads", [1, 2])
@pytest.mark.parametrize("name", MISTAKES)
def test_the_maps_of_every_head_are_those_of_the_mistaken_code(name, n_heads):
    """The bias and the temperature stay right: only the mistake is wrong."""
    w = AttentionWidget("a b c d", d_k=4, n_heads=n_heads, positional="alibi", **SIZES)
    w.mask, w.temperature, w.head = MASK, 0.5, n_heads - 1
    w.comm = RecordingComm()
    w.mistake = name
    scores, weights = wrong(name, w)
    np.testing.assert_allclose(w.report.scores, scores, atol=1e-9)
    np.testing.assert_allclose(w.report.weights, weights, atol=1e-9)
    of_head = weights[w.head] if n_heads > 1 else weights
    np.testing.assert_allclose(w.report.got, of_head, atol=1e-9)
    np.testing.assert_allclose(
        w.report.expected, w.attention[w.head] if n_heads > 1 else w.attention, atol=1e-12
    )
    message = [state["report"] for state in w.comm.states() if "report" in state][-1]
    for key in ("scores", "weights"):
        np.testing.assert_allclose(unpack(message[key]), getattr(w.report, key), atol=1e-5)
    assert (message["step"], message["wrong"]) == (MISTAKES[name].step, MISTAKES[name].wrong)


def test_the_temperature_zero_is_the_limit():
    w = AttentionWidget("a b c", key_tokens="u v x y", d_k=4, **SIZES)
    w.temperature, w.mistake = 0, "no-scale"
    want = np.eye(4)[(w.Q @ w.K.T).argmax(axis=1)]
    np.testing.assert_array_equal(w.report.weights, want)


STEPS = {
    "no-scale": "scores",
    "not-transposed": "scores",
    "in-place": "scores",
    "mask-sign": "mask",
    "mask-multiplied": "mask",
    "mask-after-softmax": "attention",
    "wrong-axis": "attention",
    "keepdims": "attention",
    "overflow": "attention",
}
RIGHT = """
d_k = Q.shape[1]
Q = Q / np.sqrt(d_k)
scores = Q @ K.T
scores = scores - mask * 1e9
e = np.exp(scores - scores.max(axis=1, keepdims=True))
weights = e / e.sum(axis=1, keepdims=True)
"""
SHORT = """
d_k = Q.shape[1]
scores = Q @ K.T / np.sqrt(d_k)
weights = softmax(scores - mask * 1e9, axis=1)
"""
AXIS = """
d_k = Q.shape[1]
scores = Q @ K.T / np.sqrt(d_k) - mask * 1e9
weights = softmax(scores, axis=1)
"""
# The code that has the right line of each mistake.
PROGRAMS = {
    **dict.fromkeys(MISTAKES, RIGHT),
    "no-scale": SHORT,
    "not-transposed": SHORT,
    "mask-after-softmax": SHORT,
    "wrong-axis": AXIS,
}


def numpy_softmax(scores, axis):
    e = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def run(lines, Q, K, mask):
    """The weights of a second call on the same arrays, because "in-place" spoils the arrays."""
    for _ in range(2):
        names = {"Q": Q, "K": K, "mask": mask, "np": np, "softmax": numpy_softmax}
        with np.errstate(all="ignore"):
            exec(lines, names)
    return names["weights"]


@pytest.mark.parametrize("name", MISTAKES)
def test_the_lines_of_code_do_what_the_mistake_says(name):
    mistake, rng = MISTAKES[name], np.random.default_rng(5)
    Q, K = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    if name == "overflow":
        Q *= 1e4
    assert mistake.step == STEPS[name]
    program = PROGRAMS[name]
    assert f"\n{mistake.right}\n" in program
    hidden = MASK.astype(bool)
    right = torch.softmax(torch.from_numpy(Q @ K.T / 2).masked_fill(torch.from_numpy(hidden),
                          -torch.inf), 1)  # fmt: skip
    np.testing.assert_allclose(run(program, Q.copy(), K, MASK), right, atol=1e-9)
    wrong = run(program.replace(mistake.right, mistake.wrong), Q.copy(), K, MASK)
    w = AttentionWidget("a b c d", Q=Q, K=K, V=np.ones((4, 1)), mask=MASK)
    w.mistake = name
    assert not np.allclose(wrong, right)
    np.testing.assert_allclose(wrong, w.report.weights, atol=1e-9)
