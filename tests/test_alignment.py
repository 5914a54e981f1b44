"""Two lists of tokens beside each other: order kept, nothing lost, equal ones together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attnwidget.maths.alignment import Pair, align, check_common, matched, n_common, spread

CAT = ["the", "cat", "sat", "on", "a", "mat"]
DOG = ["the", "big", "dog", "sat", "on", "mat", "there"]
TOKENS = st.lists(st.sampled_from("abc"), max_size=9)


def placed(pairs, side):
    return [place for place in (getattr(pair, side) for pair in pairs) if place is not None]


def longest_run(a, b):
    """How many tokens the longest run has that is in both."""
    return max(
        (
            n
            for i in range(len(a))
            for j in range(len(b))
            for n in range(1, min(len(a) - i, len(b) - j) + 1)
            if a[i : i + n] == b[j : j + n]
        ),
        default=0,
    )


def test_equal_tokens_are_together_and_the_others_have_gaps():
    assert align(CAT, DOG) == (
        (0, 0, "the"), (1, None, "cat"), (None, 1, "big"), (None, 2, "dog"), (2, 3, "sat"),
        (3, 4, "on"), (4, None, "a"), (5, 5, "mat"), (None, 6, "there"),
    )  # fmt: skip


def test_by_position_the_first_is_beside_the_first():
    assert align(CAT[:3], DOG[:2], "position") == (
        (0, 0, "the"), (1, 1, "cat / big"), (2, None, "sat"),
    )  # fmt: skip
    assert align(["a"], ["a", "b"], "position") == ((0, 0, "a"), (None, 1, "b"))


def test_the_same_token_many_times_is_not_noise():
    """difflib leaves out what is in more than 1 % of 200 tokens, unless it is told not to."""
    a, b = ["x"] * 100 + ["the"] * 150, ["y"] * 100 + ["the"] * 150
    assert n_common(align(a, b)) == 150


@given(TOKENS, TOKENS, st.sampled_from(["token", "position"]))
@example(["a"], [], "token")
@example([], [], "position")
@example(list("abca"), list("bcab"), "token")
def test_every_token_of_both_sides_is_there_once_and_in_order(a, b, by):
    pairs = align(a, b, by)
    assert placed(pairs, "a") == list(range(len(a)))
    assert placed(pairs, "b") == list(range(len(b)))
    for pair in pairs:
        sides = [tokens[at] for tokens, at in ((a, pair.a), (b, pair.b)) if at is not None]
        assert pair.label == (" / ".join(sides) if len(set(sides)) > 1 else sides[0])
        assert by == "position" or len(set(sides)) == 1
        assert by == "token" or pair.a == pair.b or None in pair[:2]


@given(TOKENS, TOKENS)
def test_the_longest_run_in_both_is_kept_and_gaps_have_a_before_b(a, b):
    pairs = align(a, b)
    runs, run = [0], 0
    for pair in pairs:
        run = run + 1 if None not in pair[:2] else 0
        runs.append(run)
    assert max(runs) >= longest_run(a, b)
    for before, after in itertools.pairwise(pairs):
        assert not (before.a is None and after.b is None), "B's own come after A's"


@given(TOKENS)
def test_a_text_beside_itself_has_no_gap(a):
    for by in ("token", "position"):
        assert align(a, list(a), by) == tuple((i, i, token) for i, token in enumerate(a))


def test_maps_are_spread_over_the_pairs():
    rows = (Pair(0, None, "x"), Pair(1, 0, "y"))
    columns = (Pair(None, 0, "p"), Pair(0, 1, "q"), Pair(1, None, "r"))
    a, b = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]])
    nan = np.nan
    np.testing.assert_array_equal(spread(a, rows, columns, "a", nan), [[nan, 1, 2], [nan, 3, 4]])
    np.testing.assert_array_equal(
        spread(b, rows, columns, "b", nan), [[nan, nan, nan], [5, 6, nan]]
    )
    masked = spread(np.array([[True, False]]), rows, columns, "b", False)
    assert masked.dtype == bool
    np.testing.assert_array_equal(masked, [[False] * 3, [True, False, False]])


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
       st.lists(st.sampled_from("abc"), min_size=1, max_size=6))  # fmt: skip
def test_no_number_is_lost_when_a_map_is_spread(a, b):
    """Non-square: rows are aligned tokens of a and b, columns those of the lists reversed."""
    rows, columns = align(a, b), align([*a[::-1], "z"], b[::-1])
    for side, tokens, keys in (("a", a, [*a, "z"]), ("b", b, b)):
        values = np.arange(1.0, len(tokens) * len(keys) + 1).reshape(len(tokens), len(keys))
        out = spread(values, rows, columns, side, np.nan)
        assert out.shape == (len(rows), len(columns))
        kept = out[~np.isnan(out)]
        np.testing.assert_array_equal(kept, values.ravel())


def test_what_only_one_side_has_is_said():
    same = align(["a"], ["a"])
    assert matched(same, same) == []
    pairs = align(CAT, DOG)
    said = "4 in both, 2 only in A, 3 only in B"
    assert matched(pairs, pairs) == [f"Tokens: {said} (hatched)."]
    assert matched(pairs, same) == [f"Queries: {said} (hatched)."]
    assert matched(same, align(["a"], ["a", "b"])) == ["Keys: 1 in both, 1 only in B (hatched)."]
    assert matched(pairs, align(["a", "b"], ["a"])) == [
        f"Queries: {said} (hatched).", "Keys: 1 in both, 1 only in A (hatched).",
    ]  # fmt: skip


def test_nothing_in_common_is_an_error_that_shows_both():
    check_common(["a", "b"], ["b"], "token", "query")
    check_common(["a"], ["b"], "position", "query")
    with pytest.raises(ValueError, match=r"^b: got no key token that a has: a has 1 \('a'\); b has "
                       r"5 \('v', 'w', 'x', 'y', …\); align='position' pairs tokens"):  # fmt: skip
        check_common(["a"], list("vwxyz"), "token", "key")
