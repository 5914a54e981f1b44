"""The table of mistakes against torch, and the cases that must tell them apart."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from students import right

from attnwidget.lessons.cases import Case, cases
from attnwidget.lessons.cases import given as own_case
from attnwidget.lessons.mistakes import MISTAKES, OTHERS
from attnwidget.lessons.recipes import Recipe, follow

rng = np.random.default_rng(7)
Q, K = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
LONG = rng.normal(size=(3, 4)), rng.normal(size=(8, 4))
CAUSAL = np.triu(np.ones((6, 6), dtype=bool), 1)
PADDING = np.array([[0, 0, 0, 0, 0, 1]])


def torch_wrong(name, Q, K, mask, scale):
    """Each mistake in torch, written for this test."""
    q, k, m = (torch.from_numpy(np.array(a)) for a in (Q, K, mask))
    s = q @ k.T * scale
    hide = s.masked_fill(m, -torch.inf)
    e = torch.exp(hide)
    return {
        "no-scale": lambda: torch.softmax((q @ k.T).masked_fill(m, -torch.inf), 1),
        "overflow": lambda: e / e.sum(1, keepdim=True),
        "wrong-axis": lambda: torch.softmax(hide, 0),
        "keepdims": lambda: (x := torch.exp(hide - hide.amax(1, True))) / x.sum(1),
        "mask-sign": lambda: torch.softmax(torch.where(m.any(1, True), s + 1e9 * m, s), 1),
        "mask-after-softmax": lambda: torch.softmax(s, 1) * ~m,
        "mask-multiplied": lambda: torch.softmax(s * ~m, 1),
        "not-transposed": lambda: torch.softmax((q @ k * scale).masked_fill(m, -torch.inf), 1),
        "in-place": lambda: torch.softmax(hide, 1),
    }[name]().numpy()


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize(("n_q", "n_k", "d_k"), [(4, 4, 4), (5, 5, 3), (3, 6, 4), (2, 7, 7)])
def test_weights_of_a_mistake(name, n_q, n_k, d_k):
    r = np.random.default_rng(n_k)
    q, k = r.normal(size=(n_q, d_k)), r.normal(size=(n_k, d_k))
    mask = np.zeros((n_q, n_k), bool)
    mask[0, 1] = mask[1, 0] = True
    mistake = MISTAKES[name]
    if (name == "keepdims" and n_q != n_k) or (name == "not-transposed" and n_k != d_k):
        with pytest.raises(ValueError, match=r"broadcast|matmul"):
            mistake.weights(q, k, mask)
        return
    for scale in (None, 0.7):
        want = torch_wrong(name, q, k, mask, 1 / math.sqrt(d_k) if scale is None else scale)
        np.testing.assert_allclose(mistake.weights(q, k, mask, scale), want, atol=1e-6)
    np.testing.assert_array_equal(
        mistake.weights(q, k, mask.astype(int)), mistake.weights(q, k, mask)
    )


def test_what_breaks_is_what_the_table_says():
    def of(name, mask=CAUSAL):
        return MISTAKES[name].weights(Q, K, mask)

    for name in ("wrong-axis", "keepdims", "mask-after-softmax"):
        assert "row sums" in MISTAKES[name].breaks
        assert np.abs(of(name).sum(1) - 1).max() > 0.05
    for name in ("mask-sign", "mask-multiplied"):
        assert "masked cells" in MISTAKES[name].breaks
        assert of(name)[CAUSAL].max() > 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        large = MISTAKES["overflow"].weights(Q * 1e4, K)
    assert "NaN" in MISTAKES["overflow"].breaks
    assert np.isnan(large).any()
    np.testing.assert_allclose(of("no-scale").sum(1), 1)
    np.testing.assert_allclose(of("in-place"), right(Q, K, CAUSAL), atol=1e-12)
    hole = CAUSAL.copy()
    hole[3] = True
    assert not of("no-scale", hole)[3].any()


def answers(case: Case):
    ways = [(m.name, s.recipe) for m in MISTAKES.values() for s in m.spellings]
    ways = [w for w in ways if w[0] not in ("in-place", "overflow")]
    ways += [("other", s.recipe) for s in OTHERS]
    return [(name, answer(recipe, case)) for name, recipe in ways]


def answer(recipe: Recipe, case: Case):
    try:
        return follow(recipe, case.Q, case.K, case.hidden, case.scale)
    except ValueError:
        return None


@pytest.mark.parametrize(("shape", "scale"), [((6, 4), None), ((6, 4), 1.5), ((5, 2), 0.3)])
def test_the_cases_tell_all_mistakes_apart(shape, scale):
    own = own_case(Q[: shape[0], : shape[1]], K[: shape[0], : shape[1]], None, scale, "may")
    tried = cases(own, "may")
    shown = [answers(tried[name]) for name in ("non-square", "square", "masked")]
    by_way = list(zip(*shown, strict=True))
    wants = [tried[name].expected for name in ("non-square", "square", "masked")]
    for i, way in enumerate(by_way):
        name = way[0][0]
        assert any(told is None or unlike(told, w) for (_, told), w in zip(way, wants, strict=True))
        for other in by_way[i + 1 :]:
            if other[0][0] != name:
                assert any(unlike(a, b) for (_, a), (_, b) in zip(way, other, strict=True)), name


def unlike(a, b):
    if a is None or b is None:
        return a is not b
    return a.shape != b.shape or not np.allclose(a, b, atol=1e-3, equal_nan=True)
