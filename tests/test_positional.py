"""Positional encodings against other formulations of them: complex numbers, torch, Bloom's own."""

from __future__ import annotations

import cmath
import doctest
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from attnwidget.maths import positions as module
from attnwidget.maths.attention import attention, scores
from attnwidget.maths.positions import POSITIONAL, alibi, alibi_slopes, rotary, sinusoidal


def test_the_names():
    assert POSITIONAL == ("none", "sinusoidal", "rotary", "alibi")


@given(st.integers(0, 40), st.integers(1, 33))
def test_sinusoidal_is_a_turning_point_of_each_frequency(n, d_model):
    result = sinusoidal(n, d_model)
    assert result.shape == (n, d_model)
    assert result.dtype == np.float64
    for position in range(n):
        for column in range(d_model):
            angle = position * math.exp(-(column // 2 * 2) / d_model * math.log(10000))
            point = cmath.exp(1j * angle)
            wanted = point.real if column % 2 else point.imag
            assert result[position, column] == pytest.approx(wanted, abs=1e-12)


def test_sinusoidal_at_the_paper_s_width():
    # Section 3.5: wavelengths from 2π to about 10000 · 2π.
    result = sinusoidal(3, 512)
    np.testing.assert_array_equal(result[0], np.tile([0.0, 1.0], 256))
    np.testing.assert_allclose(result[1, :2], [math.sin(1), math.cos(1)], atol=1e-15)
    np.testing.assert_allclose(result[2, 510], math.sin(2 * 10000 ** (-510 / 512)), atol=1e-15)


@given(
    st.sampled_from([(), (3,), (2, 3)]),
    st.integers(0, 30),
    st.integers(1, 9),
    st.sampled_from([100.0, 10000.0, 5e5]),
    st.integers(0, 2**32 - 1),
)
def test_rotary_is_a_product_of_complex_numbers(lead, n, pairs, base, seed):
    x = np.random.default_rng(seed).standard_normal((*lead, n, 2 * pairs))
    points = torch.view_as_complex(torch.from_numpy(x).unflatten(-1, (pairs, 2)))
    rate = base ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
    angle = torch.outer(torch.arange(n, dtype=torch.float64), rate)
    turned = torch.view_as_real(points * torch.polar(torch.ones_like(angle), angle)).flatten(-2)
    before = x.copy()
    np.testing.assert_allclose(rotary(x, base), turned.numpy(), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(x, before)


def test_rotary_scores_depend_on_distance_alone():
    rng = np.random.default_rng(0)
    q, k = (np.tile(rng.standard_normal(6), (12, 1)) for _ in range(2))
    dots = scores(rotary(q), rotary(k))
    np.testing.assert_allclose(dots[4:, 4:], dots[:-4, :-4], rtol=0, atol=1e-12)
    assert np.ptp(dots[0]) > 0.1
    np.testing.assert_allclose(np.linalg.norm(rotary(q), axis=1), np.linalg.norm(q, axis=1))


def test_rotary_of_lists_and_float32_is_float64():
    assert rotary([[1, 2], [3, 4]]).dtype == np.float64
    assert rotary(np.ones((3, 2), np.float32)).dtype == np.float64


@pytest.mark.parametrize("n_heads", [*range(1, 17), 20, 32, 48, 71])
def test_alibi_is_bloom_s(n_heads):
    n = 9
    bloom = build_alibi_tensor(torch.ones(1, n), n_heads, torch.float64)[:, 0].numpy()
    np.testing.assert_allclose(alibi_slopes(n_heads), bloom[:, 1], rtol=1e-6)
    ours = alibi(n_heads, n, n)
    # Bloom's bias leaves out what a row has in common: its last query stands n - 1 away from key 0.
    np.testing.assert_allclose(ours[:, -1] - ours[:, -1, :1], bloom, rtol=0, atol=1e-5)


def test_alibi_slopes_of_the_paper():
    np.testing.assert_array_equal(alibi_slopes(8), [2.0**-i for i in range(1, 9)])
    np.testing.assert_allclose(alibi_slopes(16), [2 ** (-i / 2) for i in range(1, 17)], rtol=1e-15)


@given(st.integers(1, 9), st.integers(0, 7), st.integers(0, 7))
def test_alibi_by_its_definition(n_heads, n_q, n_k):
    slopes = alibi_slopes(n_heads)
    wanted = [[[-m * abs(i - j) for j in range(n_k)] for i in range(n_q)] for m in slopes]
    result = alibi(n_heads, n_q, n_k)
    assert result.shape == (n_heads, n_q, n_k)
    assert result.dtype == np.float64
    assert not (np.signbit(result) & (result == 0)).any()
    np.testing.assert_array_equal(result, np.reshape(wanted, result.shape))


def test_attention_with_alibi_equals_torch():
    rng = np.random.default_rng(1)
    q, k, v = (rng.standard_normal((3, n, 4)) for n in (5, 7, 7))
    bias = alibi(3, 5, 7)
    expected = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(a) for a in (q, k, v)), attn_mask=torch.from_numpy(bias)
    )
    np.testing.assert_allclose(attention(q, k, v, bias=bias).output, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: sinusoidal(-1, 4), ValueError, "n: got -1"),
        (lambda: sinusoidal(3, 0), ValueError, "d_model: got 0"),
        (lambda: sinusoidal(3, 2.5), TypeError, "d_model: got 2.5"),  # type: ignore[arg-type]
        (lambda: rotary(np.ones((2, 3))), ValueError, "x: got 3 columns, want an even number"),
        (lambda: rotary([1.0, 2.0]), ValueError, r"x: got shape \(2,\), want 2 or more axes"),
        (lambda: rotary([["a", "b"]]), TypeError, "x: .*dtype <U1"),
        (lambda: rotary([[1, 2]], base=0), ValueError, "base: got 0"),
        (lambda: rotary([[1, 2]], base=np.nan), ValueError, "base: got nan"),
        (lambda: alibi_slopes(0), ValueError, "n_heads: got 0"),
        (lambda: alibi(2, -1, 3), ValueError, "n_q: got -1"),
        (lambda: alibi(2, 3, "4"), TypeError, "n_k: got '4'"),  # type: ignore[arg-type]
    ],
)
def test_errors_name_the_argument(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_the_examples_of_the_docstrings():
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
