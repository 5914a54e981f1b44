"""What the check says: two mistakes at once, what has no name, and that nothing leaks."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from students import (
    attention_scores,
    einsum,
    mask_in_place,
    mask_set_in_place,
    right,
    scaled,
    softmax,
)

from attnwidget.lessons.check import check

rng = np.random.default_rng(7)
Q, K = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
LONG = rng.normal(size=(3, 4)), rng.normal(size=(8, 4))
CAUSAL = np.triu(np.ones((6, 6), dtype=bool), 1)
PADDING = np.array([[0, 0, 0, 0, 0, 1]])


# Two mistakes at once, and ones without a name


@pytest.mark.parametrize(
    ("fn", "name", "also"),
    [
        (lambda Q, K: softmax(Q @ K.T, axis=0), "wrong-axis", ("no-scale",)),
        (lambda Q, K: (e := np.exp(Q @ K.T)) / e.sum(1), "keepdims", ("no-scale",)),
        (lambda Q, K: (e := np.exp(Q @ K.T)) / e.sum(1, keepdims=True), "no-scale", ("overflow",)),
        (lambda Q, K, mask: softmax(Q @ K.T + mask * 1e9), "mask-sign", ("no-scale",)),
        (
            lambda Q, K, mask=None: softmax(Q @ K.T * (1 if mask is None else 1 - mask)),
            "mask-multiplied",
            ("no-scale",),
        ),
        (
            lambda Q, K, mask=None: softmax(scaled(Q, K), 0) * (1 if mask is None else 1 - mask),
            "wrong-axis",
            ("mask-after-softmax",),
        ),
        (
            lambda Q, K, mask: (e := np.exp(scaled(Q, K) + mask * 1e9)) / e.sum(1, keepdims=True),
            "mask-sign",
            (),
        ),
        (lambda Q, K, mask=None: softmax(Q @ K.T), "no-scale", ("other",)),
        (lambda Q, K, mask=None: attention_scores(Q, K), "other", ("overflow",)),
    ],
)
def test_two_mistakes_are_both_named(fn, name, also):
    result = check(fn, Q, K)
    assert (result.mistake, result.also) == (name, also), result
    for other in also:
        assert f"Also {other}: " in result.message


def test_changed_inputs_are_named_beside_another_mistake():
    def both(Q, K):
        Q -= 1
        return softmax(Q @ K.T)

    assert (
        check(mask_in_place, Q, K, CAUSAL.astype(float)).message.count("Changed arguments: mask.")
        == 1
    )
    assert "in-place" in check(both, Q, K).also
    result = check(mask_set_in_place, Q, K)
    assert (result.mistake, result.also) == ("other", ("in-place",))


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda Q, K: None, "returned None (is the return missing?)"),
        (lambda Q, K: scaled(Q, K), "the softmax is missing"),
        (lambda Q, K: Q @ K.T, "the softmax is missing"),
        (lambda Q, K: np.exp(scaled(Q, K) / 100), "each row must sum to 1"),
        (lambda Q, K: softmax(-scaled(Q, K)), "These are not the weights"),
        (lambda Q, K: softmax(scaled(Q, K)) @ K, "returned the shape (6, 4) instead of (6, 6)"),
        (lambda Q, K: 1.0, "returned the shape () instead of (6, 6)"),
        (lambda Q, K: "weights", "returned a str that is not an array of real numbers"),
        (lambda Q, K: {"weights": 1}, "returned a dict"),
        (lambda Q, K: [[1.0], [1.0, 2.0]], "returned a list that is not an array of real numbers"),
        (lambda Q, K: softmax(scaled(Q, K)) * 1j, "not an array of real numbers"),
        (lambda Q, K: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda Q, K: undefined, "raised NameError: name 'undefined' is not defined"),  # noqa: F821
        (lambda Q: Q, "raised TypeError"),
        (lambda Q, K, V: softmax(scaled(Q, K)) @ V, "missing 1 required positional argument: 'V'"),
        (lambda Q, K, mask=None: softmax(scaled(Q, K)), "The mask has no effect"),
        (lambda Q, K, mask: softmax(scaled(Q, K) - mask), "lowers masked scores only by 1"),
        (lambda Q, K, mask: softmax(scaled(Q, K) + mask * -np.inf), "0 * inf is NaN"),
        (lambda Q, K, mask=None: softmax(scaled(Q, K) + (mask is not None) * 7 * Q[:1, 0]), ""),
    ],
)
def test_what_has_no_name_is_described(fn, words):
    result = check(fn, Q, K)
    assert (result.ok, result.mistake) == (False, "other")
    assert words in result.message
    assert result.message.endswith(".")


def test_sizes_that_are_fixed():
    def six(Q, K):
        s = np.zeros((6, 6))
        for i in range(6):
            for j in range(6):
                s[i, j] = Q[i] @ K[j] / 2
        return softmax(s)

    result = check(six, Q, K)
    assert (result.mistake, result.case, result.difference) == ("other", "non-square", None)
    assert (
        "right on the given Q and K (6 queries, 6 keys, d_k = 4), but on inputs" in result.message
    )
    assert "raised IndexError" in result.message
    assert "Q.shape" in result.message


def test_a_fixed_scale_is_read_off():
    result = check(lambda Q, K: softmax(Q @ K.T / 2), Q, K)
    assert (result.mistake, result.case) == ("no-scale", "square")
    assert "multiplied by 0.5 for every d_k, as if d_k were always 4" in result.message


def test_the_message_names_the_cell():
    def one_off(Q, K):
        a = right(Q, K)
        if a.shape == (6, 6):
            a[4, 1] = 0.75
        return a

    result = check(one_off, Q, K)
    assert result.mistake == "other"
    assert (
        f"the function gives 0.75 for query 4 and key 1, where {right(Q, K)[4, 1]:.4g}"
        in result.message
    )
    assert np.argwhere(np.abs(result.difference) > 1e-9).tolist() == [[4, 1]]


def test_an_interrupt_ends_the_check():
    def stopped(Q, K):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(stopped, Q, K)


def test_nothing_leaks(capsys):
    def noisy(Q, K):
        warnings.warn("look here", stacklevel=1)
        assert np.geterr()["over"] == "ignore"
        np.log(np.zeros(1))
        return softmax(scaled(Q, K))

    kept = []

    def keeper(Q, K):
        kept.append(softmax(scaled(Q, K)))
        return kept[-1]

    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        assert check(noisy, Q, K).ok
        state = np.geterr()
    assert set(state.values()) == {"raise"}
    assert capsys.readouterr() == ("", "")
    result = check(keeper, Q, K)
    kept[0][:] = 0
    np.testing.assert_allclose(result.got, right(Q, K), atol=1e-12)
    for array in (result.got, result.expected, result.difference):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((right(Q, K), Q, K), TypeError, "fn: got ndarray, want a function"),
        ((einsum, Q, K[:, :3]), ValueError, "K: got shape"),
        ((einsum, Q[None], K), ValueError, "Q: got shape"),
        ((einsum, Q[:0], K), ValueError, "Q: got shape"),
        ((einsum, Q, K * np.nan), ValueError, "K: got nan, want finite"),
        ((einsum, Q, K, CAUSAL[:5]), ValueError, "mask: got shape"),
        ((einsum, Q, K, CAUSAL * 0.5), ValueError, "mask"),
    ],
)
def test_unfit_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        check(*arguments)
    with pytest.raises(ValueError, match="scale: got inf, want a finite number"):
        check(einsum, Q, K, scale=np.inf)
