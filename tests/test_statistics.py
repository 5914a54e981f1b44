"""What a head does, against the same written out in loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attnwidget.maths.statistics import STATISTICS, statistics, without_sink

TOKENS = ["a", "b", "a", "c", "b", "a", "a"]


def random_weights(seed=0, heads=3, causal=True):
    rng = np.random.default_rng(seed)
    p = rng.random((heads, 7, 7)) * (np.tri(7) if causal else 1)
    return p / p.sum(axis=-1, keepdims=True)


def by_loops(p, tokens):
    """Every statistic of one map (n, n), query by query."""
    n = len(p)
    rows = {name: [] for name in STATISTICS}
    for i in range(n):
        if not p[i].any():
            continue
        rows["entropy"].append(-sum(w * math.log2(w) for w in p[i] if w > 0))
        rows["distance"].append(sum(w * abs(i - j) for j, w in enumerate(p[i])))
        rows["diagonal"].append(p[i][i])
        if i:
            rows["previous-token"].append(p[i][i - 1])
            rows["first-token"].append(p[i][0])
        before = [j for j in range(i) if tokens[j] == tokens[i]]
        if before:
            rows["duplicate-token"].append(sum(p[i][j] for j in before))
        following = [j + 1 for j in before if j + 1 != i]
        if following:
            rows["induction"].append(sum(p[i][j] for j in following))
    return {name: np.mean(found) if found else np.nan for name, found in rows.items()}


@pytest.mark.parametrize("causal", [True, False])
def test_every_statistic_is_its_definition(causal):
    p = random_weights(causal=causal)
    p[1, 3] = 0  # a query that sees nothing
    got = statistics(p, TOKENS)
    assert list(got) == list(STATISTICS)
    for h in range(3):
        for name, want in by_loops(p[h], TOKENS).items():
            np.testing.assert_allclose(got[name][h], want, atol=1e-12, err_msg=name)


def test_leading_axes_stay():
    p = random_weights(heads=6).reshape(2, 3, 7, 7)
    for name, value in statistics(p, TOKENS).items():
        assert value.shape == (2, 3), name


def test_heads_with_a_name_have_a_statistic_of_one():
    n = 8
    tokens = list("wxyzwxyz")
    before = np.eye(n, k=-1)
    before[0, 0] = 1
    induces = np.zeros((n, n))
    duplicates = np.zeros((n, n))
    for i in range(n):
        induces[i, i - 3 if i >= 4 else 0] = 1
        duplicates[i, i - 4 if i >= 4 else 0] = 1
    sink = np.zeros((n, n))
    sink[:, 0] = 1
    named = {
        "previous-token": before,
        "diagonal": np.eye(n),
        "first-token": sink,
        "induction": induces,
        "duplicate-token": duplicates,
    }
    for name, p in named.items():
        assert statistics(p, tokens)[name] == 1, name
        assert statistics(p, tokens)["entropy"] == 0
    uniform = np.full((n, n), 1 / n)
    assert statistics(uniform, tokens)["entropy"] == pytest.approx(3)
    assert statistics(before, tokens)["distance"] == pytest.approx(7 / 8)


def test_the_sink_can_be_left_out():
    p = random_weights()
    left = without_sink(p)
    assert (left[..., 0] == 0).all()
    np.testing.assert_allclose(left[:, 1:].sum(axis=-1), 1)
    assert (left[:, 0] == 0).all()  # a causal first query sees nothing else
    np.testing.assert_allclose(left[1, 4, 1:], p[1, 4, 1:] / p[1, 4, 1:].sum())
    got = statistics(p, TOKENS, sink=False)
    assert np.isnan(got["first-token"]).all()
    for h in range(3):
        np.testing.assert_allclose(got["entropy"][h], by_loops(left[h], TOKENS)["entropy"])


def test_nothing_to_count_is_nan_and_no_warning():
    got = statistics(np.eye(3), ["a", "b", "c"])
    assert np.isnan(got["induction"])
    assert np.isnan(got["duplicate-token"])
    assert np.isnan(statistics(np.zeros((3, 3)), ["a", "b", "c"])["entropy"])


def test_tokens_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="tokens: got 2 for weights of 3 queries and 3 keys"):
        statistics(np.eye(3), ["a", "b"])
    with pytest.raises(ValueError, match=r"weights: got shape .*2 or more axes"):
        statistics(np.ones(3), ["a"])
