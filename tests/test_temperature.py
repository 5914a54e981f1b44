"""Temperature, and what masking a cell does under it, against torch and against closed forms."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attnwidget.maths.attention import attention, softmax
from attnwidget.maths.effects import output_shift

Array = NDArray[Any]
TEMPERATURES = st.one_of(st.floats(0.05, 50), st.sampled_from([1e-3, 1, 2, 1e6]))


@pytest.fixture(autouse=True)
def no_warnings():
    """A warning is a failure; only underflow to 0, silent in NumPy too, is none."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        yield


@st.composite
def maps(draw: st.DrawFn, *, whole: bool = False) -> tuple[Array, Array, Array]:
    """Scores (..., n_q, n_k), whole ones with many ties, a mask with empty rows, and V."""
    lead = draw(st.sampled_from([(), (2,), (2, 3)]))
    n_q, n_k, d_v = (draw(st.integers(1, 7)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    s = rng.standard_normal((*lead, n_q, n_k)) * draw(st.sampled_from([0.1, 3, 40]))
    if whole:
        s = rng.integers(-1, 2, s.shape).astype(float) * 1000
    mask = rng.random((n_q, n_k)) < draw(st.sampled_from([0.0, 0.4, 0.8]))
    mask[draw(st.integers(0, n_q - 1))] |= draw(st.booleans())
    return s, mask, rng.standard_normal((*lead, n_k, d_v))


def warm(s: Array, mask: Array, temperature: float) -> Array:
    """torch.softmax(s / T) in float64, 0 in a row without any key."""
    hidden = torch.from_numpy(s).masked_fill(torch.from_numpy(mask), -torch.inf)
    return torch.softmax(hidden / temperature, -1).nan_to_num(0).numpy()


def coldest(s: Array, mask: Array) -> Array:
    """The limit at T = 0, row by row: the largest unmasked scores share it."""
    weights = np.zeros(s.shape)
    for cell in np.ndindex(*s.shape[:-1]):
        hidden = np.broadcast_to(mask, s.shape)[cell]
        keys = [j for j in range(s.shape[-1]) if not hidden[j]]
        best = [j for j in keys if s[cell][j] == max(s[cell][keys])]
        for j in best:
            weights[(*cell, j)] = 1 / len(best)
    return weights


def limit(s: Array, mask: Array, temperature: float) -> Array:
    return coldest(s, mask) if temperature == 0 else warm(s, mask, temperature)


def shift_by_force(s: Array, mask: Array, v: Array, temperature: float) -> Array:
    """Mask each cell that is not masked yet, and attend again."""
    before = limit(s, mask, temperature) @ v
    shift = np.zeros(s.shape)
    for i, j in np.argwhere(~mask):
        more = mask.copy()
        more[i, j] = True
        after = limit(s, more, temperature) @ v
        shift[..., i, j] = np.linalg.norm(after - before, axis=-1)[..., i]
    return shift


@given(maps(), TEMPERATURES, st.booleans())
def test_softmax_under_a_temperature_equals_torch(case, temperature, in_place):
    s, mask, _ = case
    expected, before = warm(s, mask, temperature), s.copy()
    result = softmax(s, mask, temperature=temperature, out=s if in_place else None)
    # Scores of 1e2 over a T of 1e-3 round by 1e-11 before the exponential, in torch too.
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12 / min(temperature, 1))
    if in_place:
        assert result is s
    else:
        np.testing.assert_array_equal(s, before)


@given(maps(whole=True), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_temperature_0_is_the_argmax_with_ties_shared(case, dtype, in_place):
    s, mask, _ = case
    expected = coldest(s, mask).astype(dtype)
    s = s.astype(dtype)
    result = softmax(s, mask, temperature=0, out=s if in_place else None)
    np.testing.assert_array_equal(result, expected, strict=True)


@given(maps(), TEMPERATURES | st.just(0.0))
def test_attention_under_a_temperature(case, temperature):
    s, mask, v = case
    # One-hot keys make the queries the scores.
    result = attention(s, np.eye(s.shape[-1]), v, mask=mask, scale=1.0, temperature=temperature)
    weights = limit(s, mask, temperature)
    wide = 1e-12 / min(temperature or 1, 1)
    np.testing.assert_array_equal(result.scores, s)
    np.testing.assert_allclose(result.attention, weights, rtol=0, atol=wide)
    np.testing.assert_allclose(result.output, weights @ v, rtol=0, atol=wide * 100)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (1e-50, [1, 0, 0, 0]),
        (5e-324, [1, 0, 0, 0]),
        (1e39, [1 / 3, 1 / 3, 1 / 3, 0]),
        (1.7e308, [1 / 3, 1 / 3, 1 / 3, 0]),
    ],
)
def test_temperatures_that_float32_cannot_hold(dtype, temperature, expected):
    s = np.array([[3, 2, -1e4, 99]], dtype)
    mask = np.array([False, False, False, True])
    result = softmax(s, mask, temperature=temperature)
    np.testing.assert_allclose(result, [expected], rtol=1e-6, atol=0)
    assert result.dtype == dtype


def test_a_tiny_temperature_on_the_largest_scores():
    s = np.array([[1.7e308, -1.7e308, 1.7e308], [1e308, 1e308 * (1 - 1e-15), 0]])
    for temperature in (1e-300, 1e-12, 0):
        np.testing.assert_array_equal(
            softmax(s, temperature=temperature), [[0.5, 0, 0.5], [1, 0, 0]]
        )


def test_infinite_scores_mean_their_limits_at_any_temperature():
    s = np.array([[np.inf, 3, np.inf, -np.inf], [-np.inf] * 4])
    for temperature in (0, 0.3, 7):
        np.testing.assert_array_equal(
            softmax(s, temperature=temperature), [[0.5, 0, 0.5, 0], [0] * 4]
        )


def test_float32_under_a_temperature_follows_float64():
    rng = np.random.default_rng(0)
    s = (rng.standard_normal((3, 401, 499)) * 8).astype(np.float32)
    mask = rng.random((401, 499)) < 0.5
    expected = warm(s.astype(np.float64), mask, 0.3)
    result = softmax(s, mask, temperature=0.3, out=s)
    assert result is s
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


@given(maps(), st.sampled_from([0.0, 0.1, 1.0, 9.0]))
def test_output_shift_with_scores_equals_masking_each_cell(case, temperature):
    s, mask, v = case
    weights = limit(s, mask, temperature)
    result = output_shift(weights, v, weights @ v, scores=s, mask=mask, temperature=temperature)
    np.testing.assert_allclose(
        result, shift_by_force(s, mask, v, temperature), rtol=1e-9, atol=1e-9
    )


@given(maps(whole=True), st.sampled_from([0.0, 1e-3, 1.0]))
@example((np.array([[0.0, 1000.0]]), np.zeros((1, 2), bool), np.array([[1.0], [3.0]])), 0.0)
def test_output_shift_of_ties_and_of_rows_that_underflow(case, temperature):
    s, mask, v = case
    weights = limit(s, mask, temperature)
    result = output_shift(weights, v, weights @ v, scores=s, mask=mask, temperature=temperature)
    np.testing.assert_allclose(
        result, shift_by_force(s, mask, v, temperature), rtol=1e-12, atol=1e-12
    )


def test_output_shift_where_the_rest_underflowed():
    v = np.array([[3.0, 4.0], [6.0, 8.0]])
    weights = np.array([[1.0, 0.0], [1.0, 0.0]])
    mask = np.array([[False, False], [False, True]])
    # Without key 0 the first row is v_1; the second has nothing left.
    for temperature in (0, 1):
        shift = output_shift(
            weights, v, weights @ v, scores=[[1000, 0]] * 2, mask=mask, temperature=temperature
        )
        np.testing.assert_allclose(shift, [[5, 0], [5, 0]], rtol=1e-15)
    swapped = output_shift(weights, v[::-1], weights @ v[::-1], scores=[[1000, 0]] * 2, mask=mask)
    np.testing.assert_allclose(swapped, [[5, 0], [10, 0]], rtol=1e-15)
    # The weights alone cannot tell the two rows apart.
    np.testing.assert_allclose(
        output_shift(weights, v[::-1], weights @ v[::-1]), [[10, 0], [10, 0]], rtol=1e-15
    )


def test_output_shift_with_scores_of_many_rows_in_float32():
    rng = np.random.default_rng(1)
    s = (rng.standard_normal((2, 700, 300)) * 4).astype(np.float32)
    s[:, ::7, 5] += 60
    v = rng.standard_normal((2, 300, 4)).astype(np.float32)
    mask = rng.random((700, 300)) < 0.3
    weights = softmax(s, mask)
    result = output_shift(weights, v, weights @ v, scores=s, mask=mask)
    assert result.dtype == np.float32
    for h, i in ((0, 7), (1, 0), (1, 693), (0, 350)):
        row = np.s_[h, i : i + 1]
        expected = shift_by_force(s[row].astype(float), mask[i : i + 1], v[h].astype(float), 1.0)
        np.testing.assert_allclose(result[row], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("temperature", "error", "words"),
    [
        (-1, ValueError, "temperature: got -1, want a finite number of at least 0"),
        (np.nan, ValueError, "temperature: .*got nan"),
        (np.inf, ValueError, "temperature: .*got inf"),
        (10**400, ValueError, "temperature: .*got inf"),
        ("1", TypeError, "temperature: got '1', want a number"),
        (None, TypeError, "temperature: .*None"),
        ([0.5, 1.0], TypeError, r"temperature: .*\[0.5, 1.0\]"),
        (1j, TypeError, "temperature: .*1j"),
    ],
)
def test_other_temperatures_are_refused_before_anything_changes(temperature, error, words):
    s = np.array([[0.0, 1.0], [2.0, 3.0]])
    kept = [s.copy() for _ in range(1)]
    calls = [
        lambda: softmax(kept[0], out=kept[0], temperature=temperature),
        lambda: attention(s, s, s, temperature=temperature),
        lambda: output_shift(softmax(s), s, s, scores=s, temperature=temperature),
    ]
    for call in calls:
        with pytest.raises(error, match=words):
            call()
    for array in kept:
        np.testing.assert_array_equal(array, s)


def test_scores_of_another_shape_are_refused():
    weights, v = np.full((3, 2), 0.5), np.ones((2, 4))
    with pytest.raises(ValueError, match=r"scores: got shape \(2, 2\), .*\(3, 2\)"):
        output_shift(weights, v, weights @ v, scores=np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"mask: got shape \(3, 3\)"):
        output_shift(weights, v, weights @ v, scores=weights, mask=np.zeros((3, 3), bool))
