"""Sub-tokens as words: sums and means of maps by loops, and which tokens make a word."""

from __future__ import annotations

import numpy as np
import pytest
from word_tokenizers import by_loops

from attnwidget.maths.grouping import merge, word_groups, word_label


def test_columns_are_summed_and_rows_averaged():
    attention = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.0, 0.25, 0.75]])
    groups = ((0,), (1, 2))
    np.testing.assert_allclose(merge(attention, groups, groups), [[0.5, 0.5], [0.05, 0.95]])
    # Two queries, four keys, and a key in no group.
    crossed = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.5, 0]])
    got = merge(crossed, ((0, 1),), ((0, 1), (3,)))
    np.testing.assert_allclose(got, [[0.4, 0.2]])


def test_every_head_is_merged_and_rows_still_sum_to_1():
    rng = np.random.default_rng(0)
    maps = rng.dirichlet(np.ones(7), (2, 3, 5))
    rows, columns = ((0, 1), (2,), (3, 4)), ((0,), (1, 2, 3), (4, 5, 6))
    got = merge(maps, rows, columns)
    assert got.shape == (2, 3, 3, 3)
    np.testing.assert_allclose(got[1, 2], by_loops(maps[1, 2], rows, columns), rtol=1e-12)
    np.testing.assert_allclose(got.sum(axis=-1), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("labels", "ids", "groups"),
    [
        # A fast tokenizer's own numbers, whatever the labels look like.
        (["[CLS]", "un", "##ed", "cat", "[SEP]"], [None, 0, 0, 1, None], "0|12|3|4"),
        (["a", "b", "c"], [0, 0, 0], "012"),
        # Two special tokens side by side are two.
        (["[CLS]", "[MASK]", "a"], [None, None, 0], "0|1|2"),
        # The same number on both sides of a special token is not one word.
        (["a", "[SEP]", "b"], [0, None, 0], "0|1|2"),
        # Labels alone.
        (["[CLS]", "un", "##ed", "cat", "##s"], [], "0|12|34"),
        (["the", "␣c", "at", "␣sat"], [], "0|12|3"),
        (["the", "cat", "sat"], [], "0|1|2"),
        (["##s", "cat"], [], "0|1"),
        # Labels, but for what is no part of a word.
        (["the", "␣c", "at", "</s>", "the", "re"], [-1, -1, -1, None, -1, -1], "0|12|3|45"),
        ([], [], ""),
    ],
)
def test_groups(labels, ids, groups):
    want = tuple(tuple(int(i) for i in group) for group in groups.split("|") if group)
    assert word_groups(labels, ids) == want


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (["un", "##want", "##ed"], "unwanted"),
        (["␣c", "at"], "␣cat"),
        (["caf", "é"], "café"),
        (["日", "本"], "日本"),
        (["␣🙂 1/3", "🙂 2/3", "🙂 3/3"][:1], "␣🙂 1/3"),
        (["␣🙂 1/3", "␣🙂 2/3", "␣🙂 3/3"], "␣🙂"),
        (["é 1/2", "é 2/2"], "é"),
        # One after the other, whole or in parts, is said twice.
        (["é 1/2", "é 2/2", "é 1/2", "é 2/2"], "éé"),
        ([f"🙂 {i}/4" for i in (1, 2, 3, 4, 1, 2, 3, 4)], "🙂🙂"),
        ([f"🙂 {i}/3" for i in (1, 2, 3)] + [f"👍 {i}/3" for i in (1, 2, 3)], "🙂👍"),
        (["[CLS]"], "[CLS]"),
    ],
)
def test_the_label_of_a_word(labels, word):
    assert word_label(labels) == word
