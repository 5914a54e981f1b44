"""The mask's input rule, and the masks with names, against their definitions written out."""

from __future__ import annotations

import doctest
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attnwidget.maths import masks as module
from attnwidget.maths.masks import (
    as_mask,
    block_mask,
    causal_mask,
    padding_mask,
    prefix_mask,
    sentence_blocks,
    window_mask,
)

KEEPS = [0, 0.0, -0.0, False]
MASKS = [1, 1.0, -1, -1.0, -np.inf, -1e4, -1e9, np.finfo(np.float32).min, True]
WRONG = [0.5, 2, -0.5, -2, -9999.9, 1e-300, np.inf, np.nan, 1e4, 255]


@pytest.mark.parametrize("value", KEEPS + MASKS)
def test_what_a_value_means(value):
    expected = [[False, value in MASKS and value not in KEEPS]] * 3
    mask = as_mask([0, value], 3, 2)
    assert mask.tolist() == expected
    assert mask.dtype == np.bool_


@pytest.mark.parametrize("value", WRONG)
def test_other_numbers_are_refused_with_the_rule_and_the_place(value):
    given_mask = np.zeros((2, 3))
    given_mask[1, 0] = value
    given_mask[1, 2] = 7
    with pytest.raises(ValueError, match=r"mask\[1, 0\] is .*0 keeps.*-inf.*-1e4") as caught:
        as_mask(given_mask, 2, 3)
    assert str(np.float64(value)) in str(caught.value)


@pytest.mark.parametrize(
    "mask",
    [
        ["0", "1"],
        [b"0", b"1"],
        np.array([True, False], dtype=object),
        [None, None],
        [0, 1j],
        [[0, 1], [0]],
    ],
)
def test_what_is_no_number_is_refused(mask):
    with pytest.raises(ValueError, match="mask"):
        as_mask(mask, 2, 2)


def test_the_rule_is_stated_for_objects_and_strings():
    for mask in (np.array([True, False], dtype=object), ["yes", "no"]):
        with pytest.raises(ValueError, match=r"dtype .*first value .*True = masked.*0 keeps"):
            as_mask(mask, 2, 2)


def test_the_lab_s_mask_ignores_the_last_word():
    mask = as_mask([[0, 0, 0, 0, 0, -1]], 6, 6)
    assert mask[:, 5].all()
    assert not mask[:, :5].any()


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "f2", "f4", "f8"])
def test_each_dtype_and_shape(dtype):
    row = np.array([0, 1, 0]).astype(dtype)
    expected = [[False, True, False]] * 2
    for mask in (row, row[None], np.stack([row, row]), row.tolist(), torch.from_numpy(row)):
        assert as_mask(mask, 2, 3).tolist() == expected


def test_an_additive_mask_of_half_precision():
    mask = np.triu(np.full((3, 3), np.finfo(np.float16).min), 1)
    np.testing.assert_array_equal(as_mask(mask, 3, 3), causal_mask(3))


@pytest.mark.parametrize("shape", [(), (2,), (2, 1), (3, 2), (1, 2, 3), (0,)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="mask: got shape") as caught:
        as_mask(np.zeros(shape), 2, 3)
    assert str(caught.value) == f"mask: got shape {shape}, want (3,), (1, 3) or (2, 3)"


def test_a_name_is_no_mask():
    with pytest.raises(ValueError, match=r"got 'causal', want an array \(2, 3\).*`presets`"):
        as_mask("causal", 2, 3)


def test_none_masks_nothing():
    assert as_mask(None, 2, 3).tolist() == [[False] * 3] * 2


def test_a_masked_array_gives_its_mask():
    data = np.ma.array([[5.0, np.nan, 0.5], [1.0, 1.0, 1.0]], mask=[[0, 1, 0], [0, 0, 1]])
    assert as_mask(data, 2, 3).astype(int).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert not as_mask(np.ma.array([1.0, 2.0]), 2, 2).any()


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2)))
def test_a_mask_comes_back_as_a_fresh_array(mask):
    for given_mask in (mask, np.asfortranarray(mask), np.where(mask, -np.inf, 0.0)):
        before = given_mask.copy()
        result = as_mask(given_mask, *mask.shape)
        np.testing.assert_array_equal(result, mask)
        assert result.flags.c_contiguous
        assert result.flags.writeable
        result[...] = True
        np.testing.assert_array_equal(given_mask, before)


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, 8))
def test_causal_and_window_by_their_definition(n, n_k, width):
    after = [[j > i for j in range(n_k)] for i in range(n)]
    far = [[abs(i - j) > width for j in range(n_k)] for i in range(n)]
    for result, expected in ((causal_mask(n, n_k), after), (window_mask(n, width, n_k), far)):
        assert result.dtype == np.bool_
        assert result.shape == (n, n_k)
        assert result.tolist() == expected
    assert causal_mask(n).shape == window_mask(n).shape == (n, n)


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, 9))
def test_prefix_by_its_definition(n, n_k, length):
    hidden = [[j > i and j >= length for j in range(n_k)] for i in range(n)]
    result = prefix_mask(n, length, n_k)
    assert result.dtype == np.bool_
    assert result.shape == (n, n_k)
    assert result.tolist() == hidden
    assert prefix_mask(n, length).shape == (n, n)


def test_prefixes_from_causal_to_none():
    np.testing.assert_array_equal(prefix_mask(5, 0, 3), causal_mask(5, 3))
    assert not prefix_mask(4, 4).any()


LABELS = st.lists(st.sampled_from([0, 1, "a", "b", (1, 2), None, -7]), max_size=7)


@given(LABELS, LABELS)
def test_block_by_its_definition(blocks, key_blocks):
    result = block_mask(blocks, key_blocks)
    assert result.dtype == np.bool_
    assert result.shape == (len(blocks), len(key_blocks))
    assert result.tolist() == [[q != k for k in key_blocks] for q in blocks]
    np.testing.assert_array_equal(block_mask(tuple(blocks)), block_mask(blocks, blocks))


def test_blocks_from_arrays():
    expected = block_mask([0, 0, 1], [1, 0])
    for make in (np.array, torch.tensor):
        np.testing.assert_array_equal(block_mask(make([0, 0, 1]), make([1, 0])), expected)
    np.testing.assert_array_equal(block_mask(np.array([0, 0, 1]), [1, 0]), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("no end", (0, 0)),
        ("one . two . three", (0, 0, 1, 1, 2)),
        ("what ?! really", (0, 0, 1)),
        ("what ? ! really", (0, 0, 0, 1)),
        ("( so . ) next", (0, 0, 0, 0, 1)),
        ("“ so ! ” ) next ” .", (0, 0, 0, 0, 0, 1, 1, 1)),
        (". . a", (0, 0, 1)),
        ("a … b ... c", (0, 0, 1, 1, 2)),
        ("猫 。 犬 ！ 」 鳥 ？ 魚", (0, 0, 1, 1, 1, 2, 2, 3)),
        ("[CLS] a . [SEP] b [SEP]", (0, 0, 0, 0, 1, 1)),
        ("a </s> b <|endoftext|> c", (0, 0, 1, 1, 2)),
        ("3.5 e.g. , ; : - still", (0,) * 7),
        ('so ." then !! )" last', (0, 0, 1, 1, 1, 2)),
    ],
)
def test_sentences(text, expected):
    assert sentence_blocks(text.split()) == expected


ENDS = set(".!?…。！？")


@given(st.lists(st.sampled_from([*"ab.!?…。！？"]), max_size=12))
def test_a_sentence_is_words_and_then_their_ends(tokens):
    blocks = sentence_blocks(tokens)
    assert len(blocks) == len(tokens)
    for before, after, token, following in zip(
        blocks, blocks[1:], tokens, tokens[1:], strict=False
    ):
        assert after - before == (token in ENDS and following not in ENDS)


@pytest.mark.parametrize(("n", "n_k"), [(4, 4), (3, 5), (5, 3)])
def test_causal_is_what_torch_calls_causal(n, n_k):
    q, k, v = torch.zeros(n, 2), torch.zeros(n_k, 2), torch.eye(n_k)
    weights = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_array_equal(causal_mask(n, n_k), weights.numpy() == 0)


@pytest.mark.parametrize(
    "attention_mask",
    [[1, 1, 0], [[1, 1, 0]], [True, True, False], np.array([1.0, 1, 0]), torch.tensor([[1, 1, 0]])],
)
def test_padding(attention_mask: Any):
    assert padding_mask(attention_mask, n_q=2).astype(int).tolist() == [[0, 0, 1]] * 2
    assert padding_mask(attention_mask).shape == (3, 3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: padding_mask([[1, 0], [1, 1]]), ValueError, r"got shape \(2, 2\), want \(n_k,\)"),
        (lambda: padding_mask(1), ValueError, r"attention_mask: got shape \(\)"),
        (lambda: padding_mask([0, -1]), ValueError, r"attention_mask\[1\] is -1; 1 keeps"),
        (lambda: padding_mask([np.nan]), ValueError, r"attention_mask\[0\] is nan"),
        (lambda: padding_mask(["1"]), ValueError, "attention_mask: got dtype <U1"),
        (lambda: padding_mask([1], n_q=-1), ValueError, "n_q: .*got -1"),
        (lambda: causal_mask(2.5), TypeError, "n: got 2.5, want a whole number"),  # type: ignore[arg-type]
        (lambda: window_mask(3, width=-1), ValueError, "width: got -1, want at least 0"),
        (lambda: prefix_mask(3, -1), ValueError, "length: got -1, want at least 0"),
        (lambda: prefix_mask(3, 1.5), TypeError, "length: .*whole number"),  # type: ignore[arg-type]
        (lambda: block_mask([[0], [1]]), TypeError, "blocks: got .*, want a label for each token"),  # type: ignore[list-item]
        (lambda: block_mask([0], 1), TypeError, "key_blocks: .*got 1"),  # type: ignore[arg-type]
        (lambda: as_mask(None, 2, -3), ValueError, "n_k: .*got -3"),
    ],
)
def test_errors_name_the_argument(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_the_examples_of_the_docstrings():
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
