"""`softmax` against torch, at the limits of the number formats and in place."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from head_cases import no_warnings
from hypothesis import given
from hypothesis import strategies as st

from attnwidget.maths.attention import (
    softmax,
)

__all__ = ["no_warnings"]  # a fixture that every test uses


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=1, max_dims=4, max_side=7),
        elements=st.one_of(st.floats(-1e4, 1e4), st.sampled_from([-1e4, 1e4, -np.inf])),
    ),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_softmax_equals_torch(s, seed, in_place):
    mask = np.random.default_rng(seed).random(s.shape[-1:]) < 0.3
    hidden = torch.from_numpy(s).masked_fill(torch.from_numpy(mask), -torch.inf)
    # torch gives NaN for a row without a finite score; for us it is an empty row.
    expected = torch.softmax(hidden, -1).nan_to_num(0).numpy()
    before = s.copy()
    result = softmax(s, mask, out=s if in_place else None)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)
    sums = result.sum(-1)
    assert ((sums == 0) | (abs(sums - 1) < 1e-12)).all()
    if in_place:
        assert result is s
    else:
        np.testing.assert_array_equal(s, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_softmax_of_extreme_scores_is_the_argmax(dtype, scale):
    s = np.array([[1, -1, 0.5], [-1, -1, -1]], dtype) * dtype(scale)
    np.testing.assert_array_equal(
        softmax(s), np.array([[1, 0, 0], [1 / 3] * 3], dtype), strict=True
    )


def test_softmax_of_the_largest_floats():
    big = np.finfo(np.float64).max
    np.testing.assert_array_equal(softmax([[big, -big], [-big, -big]]), [[1, 0], [0.5, 0.5]])


def test_softmax_at_infinity_is_the_limit():
    inf, nan = np.inf, np.nan
    s = np.array([[inf, 3, inf, -inf], [-inf] * 4, [nan, 0, 0, inf], [0, -inf, 0, 0]])
    mask = np.zeros((4, 4), bool)
    mask[2, [0, 3]] = True
    third = 1 / 3
    expected = [[0.5, 0, 0.5, 0], [0] * 4, [0, 0.5, 0.5, 0], [third, 0, third, third]]
    np.testing.assert_array_equal(softmax(s, mask), expected)
    np.testing.assert_array_equal(softmax(s, mask, out=s), expected)
    np.testing.assert_array_equal(softmax([[inf, 1.0], [0, 0]]), [[1, 0], [0.5, 0.5]])


def test_softmax_refuses_nan_before_it_writes():
    s = np.array([[0.0, 1.0], [np.nan, 0.0]])
    before = s.copy()
    with pytest.raises(ValueError, match=r"scores: got NaN at \(1, 0\)"):
        softmax(s, np.array([False, True]), out=s)
    np.testing.assert_array_equal(s, before)


def test_softmax_writes_into_overlapping_memory():
    memory = np.random.default_rng(0).standard_normal((300, 1000))
    expected = torch.softmax(torch.from_numpy(memory[:-1].copy()), -1).numpy()
    np.testing.assert_allclose(softmax(memory[:-1], out=memory[1:]), expected, atol=1e-15)


@pytest.mark.parametrize("lead", [(), (3,), (300,)])
def test_float32_in_place_follows_float64(lead):
    # More cells than one cache block holds, cut along each of the axes.
    n_q, n_k = {(): (700, 500), (3,): (401, 499), (300,): (31, 37)}[lead]
    rng = np.random.default_rng(1)
    s = (rng.standard_normal((*lead, n_q, n_k)) * 8).astype(np.float32)
    mask = rng.random((n_q, n_k)) < 0.5
    mask[5] = True
    exact = torch.from_numpy(s).double().masked_fill(torch.from_numpy(mask), -torch.inf)
    expected = exact.softmax(-1).nan_to_num(0).numpy()
    result = softmax(s, mask, out=s)
    assert result is s
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)
    assert (result[..., 5, :] == 0).all()


def test_softmax_takes_strided_scores():
    s = np.random.default_rng(2).standard_normal((300, 5, 401))
    expected = torch.softmax(torch.from_numpy(s.copy()).mT, -1).numpy()
    turned = s.swapaxes(-1, -2)
    np.testing.assert_allclose(softmax(turned, out=turned), expected, rtol=0, atol=1e-15)
