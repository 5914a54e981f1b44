"""`output_shift` against a run with each cell masked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from head_cases import Array, cases, no_warnings
from hypothesis import given
from hypothesis import strategies as st

from attnwidget.maths.attention import (
    attention,
    softmax,
)
from attnwidget.maths.effects import output_shift

__all__ = ["no_warnings"]  # a fixture that every test uses


def brute_shift(s: Array, v: Array, mask: Array) -> Array:
    """Mask each cell in turn and attend again, in torch."""
    s_, v_ = torch.from_numpy(s), torch.from_numpy(v)
    hidden = torch.from_numpy(np.broadcast_to(mask, s.shape).copy())

    def out(masked: torch.Tensor) -> torch.Tensor:
        return s_.masked_fill(masked, -torch.inf).softmax(-1).nan_to_num(0) @ v_

    before = out(hidden)
    shift = torch.zeros(s.shape, dtype=torch.float64)
    for i, j in np.ndindex(*s.shape[-2:]):
        after = hidden.clone()
        after[..., i, j] = True
        shift[..., i, j] = torch.linalg.vector_norm(out(after) - before, dim=-1)[..., i]
    return shift.numpy()


@given(cases(), st.sampled_from([0.0, 100.0]))
def test_output_shift_equals_masking_each_cell(case, offset):
    q, k, v, mask = case
    v = v + offset
    s, weights, output = attention(q, k, v, mask=mask)
    result = output_shift(weights, v, output)
    np.testing.assert_allclose(result, brute_shift(s, v, mask), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gap", [3, 10, 20, 34, 40, 200])
def test_output_shift_of_a_key_that_holds_nearly_all(gap):
    # From a gap of 37 on, p rounds to 1 and p/(1-p) would be infinite.
    rng = np.random.default_rng(gap)
    s = rng.standard_normal((4, 6))
    s[[0, 1, 2], [5, 0, 3]] += gap
    v = rng.standard_normal((6, 3))
    no_mask = np.zeros(s.shape, bool)
    weights = softmax(s)
    np.testing.assert_allclose(
        output_shift(weights, v, weights @ v), brute_shift(s, v, no_mask), rtol=1e-9, atol=1e-9
    )


def test_output_shift_of_equal_values_is_zero():
    weights = softmax(np.random.default_rng(0).standard_normal((40, 30)))
    v = np.tile([[1e3, -7.0, 0.1]], (30, 1))
    assert output_shift(weights, v, weights @ v).max() < 1e-9


def test_output_shift_of_values_that_nearly_agree():
    rng = np.random.default_rng(3)
    v = 1 + 1e-7 * rng.standard_normal((8, 5))
    v[7] = -20
    s = rng.standard_normal((6, 8))
    mask = np.zeros((6, 8), bool)
    mask[1:, 7] = True
    weights = softmax(s, mask)
    np.testing.assert_allclose(
        output_shift(weights, v, weights @ v), brute_shift(s, v, mask), rtol=0, atol=1e-13
    )


def test_output_shift_of_a_lone_key_empties_the_row():
    weights = np.array([[0.0, 1.0], [0.0, 0.0], [0.5, 0.5]])
    v = np.array([[3.0, 4.0], [6.0, 8.0]])
    expected = [[0, 10], [0, 0], [2.5, 2.5]]
    np.testing.assert_allclose(output_shift(weights, v, weights @ v), expected, atol=1e-14)


def test_output_shift_of_several_heads_in_float32():
    rng = np.random.default_rng(4)
    q, k, v = (rng.standard_normal((2, n, 8)).astype(np.float32) for n in (300, 600, 600))
    _, weights, output = attention(q, k, v)
    result = output_shift(weights, v, output)
    p = weights.astype(float)
    distance = np.linalg.norm(output[:, :, None, :].astype(float) - v[:, None, :, :], axis=-1)
    np.testing.assert_allclose(result, p / (1 - p) * distance, rtol=1e-5, atol=1e-7)
