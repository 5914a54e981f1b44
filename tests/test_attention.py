"""The attention maths against torch in float64, brute force and the course lab's own numbers."""

from __future__ import annotations

import doctest

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from head_cases import Array, cases, no_warnings
from hypothesis import given
from hypothesis import strategies as st

from attnwidget.maths import attention as module
from attnwidget.maths.attention import (
    attention,
    project,
    scores,
    softmax,
)
from attnwidget.maths.effects import output_shift

__all__ = ["no_warnings"]  # a fixture that every test uses


def torch_attention(
    q: Array, k: Array, v: Array, mask: Array, scale: float | None = None
) -> tuple[Array, Array]:
    """Weights and output of torch's SDPA, whose bool mask is True where a key takes part.

    The weights are the output for one-hot values. What torch makes of a row without any key is
    its own affair: ours is 0.
    """
    eye = np.broadcast_to(np.eye(k.shape[-2]), (*k.shape[:-1], k.shape[-2]))
    keeps = torch.from_numpy(~mask)
    weights, output = (
        torch.nn.functional.scaled_dot_product_attention(
            torch.from_numpy(q),
            torch.from_numpy(k),
            torch.from_numpy(values.copy()),
            attn_mask=keeps,
            scale=scale,
        ).numpy()
        for values in (eye, v)
    )
    empty = mask.all(-1, keepdims=True)
    return np.where(empty, 0, weights), np.where(empty, 0, output)


@given(cases())
def test_attention_equals_torch_in_float64(case):
    q, k, v, mask = case
    before = [a.copy() for a in case]
    result = attention(q, k, v, mask=mask)
    weights, output = torch_attention(q, k, v, mask)
    dots = torch.from_numpy(q) @ torch.from_numpy(k).mT / k.shape[-1] ** 0.5
    np.testing.assert_allclose(result.scores, dots.numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.attention, weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.output, output, rtol=0, atol=1e-12)
    full = np.broadcast_to(mask, result.attention.shape)
    assert (result.attention[full] == 0).all()
    for now, then in zip(case, before, strict=True):
        np.testing.assert_array_equal(now, then)


@given(cases(), st.sampled_from([0.0, 0.25, -1.0, 1.5]))
def test_scale_is_used_as_given(case, scale):
    q, k, v, mask = case
    _, expected = torch_attention(q, k, v, mask, scale)
    np.testing.assert_allclose(
        attention(q, k, v, mask=mask, scale=scale).output, expected, rtol=0, atol=1e-12
    )


@given(cases(), st.sampled_from([None, 0.0, 1.5]), st.data())
def test_a_bias_is_added_after_the_scale_as_in_torch(case, scale, data):
    q, k, v, mask = case
    n_q, n_k = mask.shape[-2:]
    shape = data.draw(st.sampled_from([(n_q, n_k), (1, n_k), (n_q, 1), (n_k,), (), mask.shape]))
    bias = np.random.default_rng(n_q).standard_normal(shape)
    before = bias.copy()
    # torch's float mask is added to the scaled scores.
    added = torch.from_numpy(np.where(mask, -np.inf, bias))
    expected = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.from_numpy, (q, k, v)), attn_mask=added, scale=scale
    ).numpy()
    result = attention(q, k, v, mask=mask, scale=scale, bias=bias)
    full = np.where(mask.all(-1, keepdims=True), 0, expected)
    np.testing.assert_allclose(result.output, full, rtol=0, atol=1e-12)
    plain = scores(q, k, scale=scale)
    np.testing.assert_allclose(
        result.scores - plain, np.broadcast_to(bias, plain.shape), atol=1e-12
    )
    np.testing.assert_array_equal(bias, before)


def test_a_bias_in_double_precision_makes_the_scores_double():
    q = np.ones((2, 3), np.float32)
    bias = np.full((2, 2), 1e-12)
    assert scores(q, q, bias=bias.astype(np.float32)).dtype == np.float32
    np.testing.assert_array_equal(scores(q, q, scale=1, bias=bias), 3 + bias, strict=True)


@given(
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(-100, 100)),
    st.integers(0, 2**32 - 1),
)
def test_attention_at_scores_of_1e4(q, seed):
    # Whole numbers, so that both sides hold the very same scores, up to 1e4 a feature.
    rng = np.random.default_rng(seed)
    k = rng.integers(-100, 101, (7, q.shape[1]))
    v = rng.standard_normal((7, 3))
    mask = rng.random((len(q), 7)) < 0.4
    result = attention(q, k, v, mask=mask, scale=1.0)
    weights, output = torch_attention(q.astype(float), k.astype(float), v, mask, 1.0)
    assert result.scores.dtype == np.float64
    np.testing.assert_array_equal(result.scores, q @ k.T)
    np.testing.assert_allclose(result.attention, weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.output, output, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("given_dtype", "wanted"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("u1", "f8"), (">f4", "f4")],
)
def test_precision_of_results(given_dtype, wanted):
    a = np.array([[1, 2], [3, 4], [5, 6]], given_dtype)
    result = attention(a[:2], a, a, scale=np.float64(0.5))
    assert {array.dtype for array in result} == {np.dtype(wanted)}
    assert project(a, a[:2]).dtype == np.dtype(wanted)
    assert output_shift(result.attention, a, result.output).dtype == np.dtype(wanted)
    np.testing.assert_allclose(result.scores, [[2.5, 5.5, 8.5], [5.5, 12.5, 19.5]])


def test_no_keys_and_no_queries():
    none = np.zeros((0, 2))
    some = np.ones((3, 2))
    weights, output = attention(some, none, none)[1:]
    assert weights.shape == (3, 0)
    np.testing.assert_array_equal(output, np.zeros((3, 2)))
    assert attention(none, some, some).output.shape == (0, 2)
    assert output_shift(weights, none, output).shape == (3, 0)


def test_the_course_lab():
    embeddings = np.random.RandomState(0).rand(6, 4)
    seeded = np.random.RandomState(0)
    w_q, w_k, w_v = (seeded.rand(4, 4) for _ in range(3))
    q, k, v = (project(embeddings, w) for w in (w_q, w_k, w_v))
    result = attention(q, k, v)
    printed = [0.1339, 0.1215, 0.1660, 0.0580, 0.1380, 0.3825]
    np.testing.assert_allclose(result.attention[0], printed, rtol=0, atol=5.1e-5)
    np.testing.assert_allclose(
        result.output[0], [1.4139, 1.5410, 1.2170, 1.0376], rtol=0, atol=5.1e-5
    )


@pytest.mark.parametrize("w_shape", [(4, 5), (3, 4, 5)])
def test_project(w_shape):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((6, 4)), rng.standard_normal(w_shape)
    np.testing.assert_allclose(project(x, w), np.einsum("nm,...md->...nd", x, w), atol=1e-14)
    assert project(x.tolist(), w.tolist()).shape == (*w_shape[:-2], 6, 5)


A = np.ones((4, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: scores(A, A[:, :2]),
            ValueError,
            r"K: got shape \(4, 2\), want \(\.\.\., n_k, 3\)",
        ),
        (lambda: scores(A[0], A), ValueError, r"Q: got shape \(3,\), want 2 or more axes"),
        (
            lambda: scores(A[:, :0], A[:, :0]),
            ValueError,
            r"Q: got shape \(4, 0\), want at least one column",
        ),
        (
            lambda: scores(A[None].repeat(2, 0), A[None].repeat(3, 0)),
            ValueError,
            r"K: got shape \(3, 4, 3\)",
        ),
        (lambda: scores(A, A, scale=np.inf), ValueError, "scale: got inf, want a finite number"),
        (lambda: scores(A, A, scale="big"), TypeError, "scale: .*'big'"),  # type: ignore[arg-type]
        (lambda: scores(A, A, bias=A), ValueError, r"bias: got shape \(4, 3\), .*\(4, 4\)"),
        (lambda: scores(A, A, bias="b"), TypeError, "bias: .*dtype <U1"),
        (lambda: scores([["a"]], A), TypeError, "Q: .*dtype <U1"),
        (lambda: scores(A, A * 1j), TypeError, "K: .*complex"),
        (lambda: scores([[1], [2, 3]], A), TypeError, "Q: .*list"),
        (lambda: scores(A, torch.ones(4, 3, requires_grad=True)), TypeError, "K: .*Tensor"),
        (
            lambda: attention(A, A, A[:3]),
            ValueError,
            r"V: got shape \(3, 3\), want \(\.\.\., 4, d_v\)",
        ),
        (
            lambda: attention(A, A, A, mask=A > 1),
            ValueError,
            r"mask: got shape \(4, 3\), .*\(4, 4\)",
        ),
        (
            lambda: attention(A, A, A, mask=np.ones((2, 4, 4), bool)),
            ValueError,
            "mask: .*broadcast",
        ),
        (lambda: softmax(A, A), TypeError, "mask: got dtype float64, want bool.*as_mask"),  # type: ignore[arg-type]
        (lambda: softmax(1.0), ValueError, "scores: .*single number"),
        (lambda: softmax(A, out=np.ones(3)), ValueError, r"out: got shape \(3,\), want \(4, 3\)"),
        (lambda: softmax(A, out=A.astype("f4")), TypeError, "out: got dtype float32, want float64"),
        (lambda: softmax(A, out=[[0.0]]), TypeError, "out: .*list"),  # type: ignore[arg-type]
        (lambda: project(A, A), ValueError, r"W: got shape \(4, 3\), want \(3, d\)"),
        (lambda: project(A[0], A), ValueError, r"X: got shape \(3,\), want \(n, d_model\)"),
        (lambda: output_shift(A, A, A), ValueError, r"V: .*\(\.\.\., 3, d_v\)"),
        (
            lambda: output_shift(A, A[:3], A[:2]),
            ValueError,
            r"output: got shape \(2, 3\), want \(4, 3\)",
        ),
    ],
)
def test_errors_name_the_argument_the_shape_and_the_wish(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_the_examples_of_the_docstrings():
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
