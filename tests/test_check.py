"""The check of a student's own function: right ones pass, each mistake gets its name."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given as hyp_given
from hypothesis import settings
from hypothesis import strategies as st
from students import (
    RIGHT,
    WRONG,
    assigned,
    attention_scores,
    broadcasting,
    einsum,
    loops,
    masked_attention_scores,
    negated,
    right,
    scaled,
    scipys,
    scipys_lse,
    softmax,
    torch_float64,
)

from attnwidget.lessons.check import check
from attnwidget.lessons.mistakes import MISTAKES

rng = np.random.default_rng(7)
Q, K = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
LONG = rng.normal(size=(3, 4)), rng.normal(size=(8, 4))
CAUSAL = np.triu(np.ones((6, 6), dtype=bool), 1)
PADDING = np.array([[0, 0, 0, 0, 0, 1]])


@pytest.mark.parametrize("fn", RIGHT)
@pytest.mark.parametrize("mask", [None, CAUSAL, PADDING, PADDING[0], CAUSAL.astype(int)])
def test_a_right_function_is_never_accused(fn, mask):
    result = check(fn, Q, K, mask)
    assert result.ok, result
    assert result
    assert result.mistake is None
    assert result.case == "given"
    takes = fn is not scipys_lse and fn is not RIGHT[-1]
    np.testing.assert_allclose(result.expected, right(Q, K, mask if takes else None), atol=1e-12)
    np.testing.assert_allclose(result.difference, 0, atol=1e-4)


@pytest.mark.parametrize("fn", RIGHT)
def test_a_right_function_on_more_keys_than_queries(fn):
    assert check(fn, *LONG).ok


@pytest.mark.parametrize("fn", RIGHT)
def test_no_answer_is_wrong_where_every_key_is_masked(fn):
    hole = CAUSAL.copy()
    hole[2] = True
    result = check(fn, Q, K, hole)
    assert result.ok, result


def test_empty_rows_are_told_not_held_against():
    assert "NaN" in check(scipys, Q, K).message
    assert "still gets attention" in check(einsum, Q, K).message
    assert "raised ValueError" in check(loops, Q, K).message
    assert "With a mask of bool the function raised" in check(negated, Q, K).message
    assert "the check took value 1 as the weights" in check(assigned, Q, K).message


@pytest.mark.parametrize("scale", [1.0, 0.125, 3.0])
def test_another_scale(scale):
    fixed = check(lambda Q, K: softmax(Q @ K.T * scale), Q, K, scale=scale)
    follows = check(lambda Q, K: softmax(scaled(Q, K) * scale * 2), Q, K, scale=scale)
    assert fixed.ok, fixed
    assert follows.ok, follows
    usual = check(lambda Q, K: softmax(scaled(Q, K)), Q, K, scale=scale)
    assert usual.mistake == "no-scale"
    np.testing.assert_allclose(usual.expected, right(Q, K, scale=scale), atol=1e-12)


@hyp_given(
    n_q=st.integers(1, 9), n_k=st.integers(1, 9), d_k=st.integers(1, 9),
    seed=st.integers(0, 99), size=st.sampled_from([0.01, 1.0, 30.0, 3000.0]), masked=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_right_whatever_the_shapes(n_q, n_k, d_k, seed, size, masked):
    r = np.random.default_rng(seed)
    q, k = r.normal(size=(n_q, d_k)) * size, r.normal(size=(n_k, d_k))
    mask = r.random((n_q, n_k)) < 0.4 if masked else None
    for fn in (einsum, broadcasting, torch_float64):
        result = check(fn, q, k, mask)
        assert result.ok, result
        rows = slice(None) if mask is None else ~mask.all(axis=1)
        np.testing.assert_allclose(result.expected[rows], right(q, k, mask)[rows], atol=1e-9)


def test_the_lab():
    result = check(attention_scores, Q, K)
    assert (result.mistake, result.also, result.case) == ("overflow", (), "large")
    assert "The function is right on the given Q and K" in result.message
    assert np.isnan(result.difference).any()
    for mask in (None, CAUSAL, PADDING, CAUSAL.astype(float)):
        result = check(masked_attention_scores, Q, K, mask)
        assert (result.mistake, result.also) == ("overflow", ()), result


def test_the_lab_with_its_own_mask():
    result = check(masked_attention_scores, Q, K, np.array([[0, 0, 0, 0, 0, -1]]))
    assert (result.mistake, result.also, result.case) == ("mask-sign", ("overflow",), "given")
    assert "-1 * -1e9 is +1e9" in result.message
    assert "True = keep" in result.message
    assert np.isnan(result.got[:, 5]).all()
    want = right(Q, K, PADDING)
    np.testing.assert_allclose(result.expected, want, atol=1e-12)
    # A list means the same, and the mended mask leaves only the overflow.
    assert check(masked_attention_scores, Q, K, [[0, 0, 0, 0, 0, -1]]).mistake == "mask-sign"
    assert check(masked_attention_scores, Q, K, [[0, 0, 0, 0, 0, 1]]).mistake == "overflow"


def test_a_mask_of_minus_one_is_right_where_the_function_means_it():
    assert check(lambda Q, K, mask: softmax(scaled(Q, K) + mask * 1e9), Q, K, -PADDING).ok


def test_an_additive_mask_is_right_where_it_is_given():
    def add(Q, K, mask=None):
        return softmax(scaled(Q, K) + (0 if mask is None else mask))

    for low in (-np.inf, -1e9):
        assert check(add, Q, K, np.where(CAUSAL, low, 0.0)).ok
    result = check(add, Q, K, CAUSAL)
    assert result.mistake == "other"
    assert "added to the scores as it is" in result.message


EACH = [pytest.param(n, fn, id=f"{n}-{i}") for n, fns in WRONG.items() for i, fn in enumerate(fns)]


@pytest.mark.parametrize(("name", "fn"), EACH)
@pytest.mark.parametrize("mask", [None, CAUSAL, PADDING])
def test_each_mistake_gets_its_name(name, fn, mask):
    before = Q.copy(), K.copy(), None if mask is None else mask.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = check(fn, Q, K, mask)
    assert not result.ok
    assert not result
    assert result.mistake == name, result
    assert str(result) == f"{name}: {result.message}"
    for was, now in zip(before, (Q, K, mask), strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize(("name", "fn"), EACH)
def test_each_mistake_gets_its_name_on_other_sizes(name, fn):
    assert check(fn, *LONG).mistake == name
    assert check(fn, K[:4], Q[:4]).mistake == name


def test_every_name_has_three_spellings():
    assert set(WRONG) == set(MISTAKES)
    assert all(len(fns) >= 3 for fns in WRONG.values())


@hyp_given(
    n_q=st.integers(1, 7), n_k=st.integers(1, 7), d_k=st.integers(1, 7), seed=st.integers(0, 99),
    name=st.sampled_from(sorted(MISTAKES)), masked=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_mistake_is_never_called_right(n_q, n_k, d_k, seed, name, masked):
    r = np.random.default_rng(seed)
    q, k = r.normal(size=(n_q, d_k)), r.normal(size=(n_k, d_k))
    mask = r.random((n_q, n_k)) < 0.3 if masked else None
    for fn in WRONG[name]:
        result = check(fn, q, k, mask)
        assert not result.ok, result
        assert result.mistake == name, result
