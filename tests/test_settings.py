"""Every experiment of the lab, as a keyword and as a trait, against formulas written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from byhand import follows, maps, state, unchanged
from recording import RecordingComm

from attnwidget import AttentionWidget

SENTENCE = "The cat sat on the mat"
SIZES = {"d_model": 5, "d_k": 4, "d_v": 3}


def made(way, sentence=SENTENCE, **settings):
    """A widget with settings given as keywords, or set afterwards one by one."""
    if way == "keyword":
        return AttentionWidget(sentence, **SIZES | settings)
    w = AttentionWidget(sentence, **SIZES)
    for name, value in settings.items():
        setattr(w, name, value)
    return w


both = pytest.mark.parametrize("way", ["keyword", "trait"])


@both
def test_uniform_is_the_lab_s_generator(way):
    w = made(way, seed=7)
    generator = np.random.RandomState(7)
    np.testing.assert_array_equal(w.embeddings, generator.rand(6, 5))
    generator = np.random.RandomState(7)
    for name, shape in (("W_q", (5, 4)), ("W_k", (5, 4)), ("W_v", (5, 3))):
        np.testing.assert_array_equal(getattr(w, name), generator.rand(*shape))
    follows(w, w.embeddings)


@both
def test_normal_weights(way):
    w = made(way, init="normal", seed=3)
    generator = np.random.RandomState(3)
    for name, shape in (("W_q", (5, 4)), ("W_k", (5, 4)), ("W_v", (5, 3))):
        np.testing.assert_array_equal(getattr(w, name), generator.randn(*shape))
    np.testing.assert_array_equal(w.embeddings, np.random.RandomState(3).rand(6, 5))
    follows(w, w.embeddings)


@both
def test_identity_weights(way):
    w = made(way, init="identity")
    X = w.embeddings
    np.testing.assert_array_equal(w.Q, X[:, :4])
    np.testing.assert_array_equal(w.K, X[:, :4])
    np.testing.assert_array_equal(w.V, X[:, :3])
    follows(w, X)


@both
@pytest.mark.parametrize(("d_k", "n_heads"), [(3, 1), (5, 2), (8, 3)])
def test_orthogonal_weights(way, d_k, n_heads):
    w = made(way, init="orthogonal", d_k=d_k, n_heads=n_heads)
    for name in ("W_q", "W_k", "W_v"):
        for W in np.reshape(getattr(w, name), (-1, *getattr(w, name).shape[-2:])):
            rows, columns = W.shape
            inner = W @ W.T if rows < columns else W.T @ W
            np.testing.assert_allclose(inner, np.eye(min(W.shape)), atol=1e-12)
    assert not np.allclose(w.W_q, w.W_k)
    follows(w, w.embeddings)


@both
def test_sinusoidal_positions_are_added_to_x(way):
    w = made(way, positional="sinusoidal")
    P = np.array(
        [
            [(math.cos if c % 2 else math.sin)(p / 10000 ** ((c - c % 2) / 5)) for c in range(5)]
            for p in range(6)
        ]
    )
    np.testing.assert_array_equal(w.embeddings, np.random.RandomState(0).rand(6, 5))
    follows(w, w.embeddings + P)


@both
def test_rotary_positions_turn_q_and_k(way):
    w = made(way, positional="rotary")

    def turned(made):
        points = made[:, 0::2] + 1j * made[:, 1::2]
        for p in range(len(points)):
            points[p] *= np.exp(1j * p * np.array([1.0, 10000**-0.5]))
        return np.stack([points.real, points.imag], axis=-1).reshape(made.shape)

    X = w.embeddings
    np.testing.assert_allclose(w.Q, turned(X @ w.W_q), atol=1e-12)
    np.testing.assert_allclose(w.K, turned(X @ w.W_k), atol=1e-12)
    np.testing.assert_allclose(w.V, X @ w.W_v, atol=1e-12)
    follows(w)


@both
def test_alibi_is_a_bias_by_distance(way):
    w = made(way, positional="alibi", n_heads=2)
    bias = np.array(
        [[[-slope * abs(i - j) for j in range(6)] for i in range(6)] for slope in (1 / 16, 1 / 256)]
    )
    np.testing.assert_allclose(w.bias, bias, atol=1e-15)
    follows(w, w.embeddings, bias=bias)
    np.testing.assert_allclose(w.scores, w.Q @ np.swapaxes(w.K, 1, 2) / 2 + bias, atol=1e-12)
    with pytest.raises(ValueError, match="read-only"):
        w.bias[0, 0, 0] = 1


@both
@pytest.mark.parametrize("temperature", [0, 0.25, 1, 40.0])
def test_temperature(way, temperature):
    w = made(way, temperature=temperature)
    follows(w, w.embeddings, temperature=temperature)
    w.toggle(0, int(w.attention[0].argmax()))
    w.mask = w.mask | (np.arange(6)[:, None] == 3)  # a row with nothing left
    follows(w, w.embeddings, temperature=temperature)
    assert (w.attention[3] == 0).all()


def test_at_temperature_zero_the_largest_share():
    K = np.array([[1.0], [3.0], [3.0], [0.0]])
    w = AttentionWidget("a b c d", Q=np.ones((4, 1)), K=K, V=np.eye(4), temperature=0)
    np.testing.assert_array_equal(w.attention, np.tile([0, 0.5, 0.5, 0], (4, 1)))
    w.toggle(2, 1)
    np.testing.assert_array_equal(w.attention[2], [0, 0, 1, 0])
    np.testing.assert_array_equal(w.output, w.attention)


def test_scale_off_stays_and_on_follows_d_k():
    w = made("keyword")
    assert w.scale == 0.5
    w.d_k = 9
    assert w.scale == pytest.approx(1 / 3)
    w.scale = 1
    w.d_k = 2
    assert w.scale == 1
    follows(w, w.embeddings, scale=1)
    w.scale = None
    assert w.scale == pytest.approx(2**-0.5)
    w.d_k = 16
    assert w.scale == 0.25
    follows(w, w.embeddings)


@pytest.mark.parametrize("way", ["keyword", "trait"])
def test_a_scale_said_to_be_the_default_is_the_default(way):
    w = made(way, scale=0.5)
    w.d_k = 16
    assert w.scale == 0.25


@both
@pytest.mark.parametrize("n_heads", [1, 3])
def test_heads(way, n_heads):
    w = made(way, n_heads=n_heads)
    lead = () if n_heads == 1 else (n_heads,)
    assert w.Q.shape == (*lead, 6, 4)
    assert w.output.shape == (*lead, 6, 3)
    follows(w, w.embeddings)


CHANGES = {
    "tokens": "one two three four five six seven eight", "d_model": 7, "d_k": 6, "d_v": 2,
    "n_heads": 2, "seed": 9, "init": "normal", "positional": "sinusoidal", "temperature": 0.5,
    "scale": 0.3,
}  # fmt: skip
START = {"seed": 4, "init": "orthogonal", "positional": "alibi", "temperature": 2.0, "scale": 0.7}


@pytest.mark.parametrize("name", CHANGES)
def test_changing_one_setting_keeps_the_others(name):
    w = made("keyword", **START)
    w.toggle(1, 4)
    w.toggle(5, 0)
    settings = {n: getattr(w, n) for n in CHANGES if n != name}
    setattr(w, name, CHANGES[name])
    assert {n: getattr(w, n) for n in settings} == settings
    np.testing.assert_array_equal(np.argwhere(w.mask), [[1, 4], [5, 0]])
    bias = 0 if w.bias is None else w.bias
    follows(w, bias=bias, scale=w.scale, temperature=w.temperature)


# What stays of a number set by hand: its array keeps its shape, and nothing upstream was set.
@pytest.mark.parametrize(
    ("array", "name", "stays"),
    [
        ("embeddings", "d_k", True),
        ("embeddings", "tokens", True),
        ("embeddings", "init", True),
        ("embeddings", "seed", False),
        ("embeddings", "d_model", False),
        ("W_v", "d_k", True),
        ("W_q", "d_v", True),
        ("W_q", "tokens", True),
        ("W_q", "temperature", True),
        ("W_q", "positional", True),
        ("W_q", "init", False),
        ("Q", "d_v", True),
        ("Q", "tokens", True),
        ("Q", "scale", True),
        ("Q", "positional", False),
    ],
)
def test_numbers_set_by_hand_stay_where_they_can(array, name, stays):
    w = made("keyword")
    changed = getattr(w, array).copy()
    changed[1, 2] = 8.5
    setattr(w, array, changed)
    setattr(w, name, CHANGES[name])
    assert (getattr(w, array)[1, 2] == 8.5) == stays
    assert (array in w.overridden) == stays


def test_what_positions_do_not_touch_stays():
    w = made("keyword")
    hand = {name: np.full_like(getattr(w, name), 0.5) for name in ("Q", "K", "V")}
    for name, value in hand.items():
        setattr(w, name, value)
    w.positional = "alibi"  # a bias on the scores
    for name, value in hand.items():
        np.testing.assert_array_equal(getattr(w, name), value)
    w.positional = "rotary"  # turns queries and keys
    np.testing.assert_array_equal(w.V, hand["V"])
    assert set(w.overridden) == {"V"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("d_model", 0, "d_model: got 0, want at least 1"),
        ("d_k", 257, "d_k: got 257, want at most 256: .*columns"),
        ("d_v", -1, "d_v: got -1, want at least 1"),
        ("n_heads", 0, "n_heads: got 0, want at least 1"),
        ("n_heads", 17, "n_heads: got 17, want at most 16: .*small"),
        ("d_k", True, "d_k: got True, want a whole number"),
        ("d_k", "4", "d_k: got '4', want a whole number"),
        ("d_v", None, "d_v: got None, want a whole number"),
        ("tokens", ["t"] * 2049, "tokens: 1 maps of 2049 × 2049 .*at most 4194304, .*page"),
        ("W_v", np.ones((5, 300)), "d_v: got 300, want at most 256"),
        ("seed", 2**32, "seed: got 4294967296"),
        ("seed", 1.5, "seed: got 1.5"),
        ("init", "zeros", "init: got 'zeros', want one of uniform, normal, identity"),
        ("positional", None, "positional: got None, want one of none"),
        ("temperature", -0.1, "temperature: got -0.1, want a finite number of at least 0"),
        ("temperature", "hot", "temperature: got 'hot', want a number"),
        ("temperature", True, "temperature: got True"),
        ("temperature", 10**400, "temperature: got inf"),
        ("scale", 10**400, "scale: got inf, want a finite number"),
        ("presets", {"window": -1}, "window: got -1, want at least 0"),
        ("presets", {"causal": 3}, "causal: got 3, want True or False"),
        ("presets", {"padding": [6]}, "padding: got 6, want 0..5"),
        ("presets", [["causal"]], "presets: got"),
        ("presets", 5, "presets: got 5"),
        ("mistake", "typo", "mistake: got 'typo', want one of"),
        ("quantity", "entropy", "quantity: got 'entropy'"),
        ("report", "right", "report"),
        ("key_embeddings", np.ones((6, 5)), "key_embeddings: got an array without key_tokens; set"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_nothing_changes(name, value, says):
    w = made("keyword", **START, presets="causal", view="steps")
    w.comm = RecordingComm()
    w.toggle(2, 0)
    w.comm.sent.clear()
    before = state(w)
    with pytest.raises((TypeError, ValueError), match=says):
        setattr(w, name, value)
    unchanged(w, before)
    assert w.comm.sent == []
    w.set_state({name: value})  # from the page: said in words
    assert w.error
    unchanged(w, {n: v for n, v in before.items() if n not in ("error", "_change")})


def test_rotary_wants_pairs():
    for way in ("keyword", "trait"):
        with pytest.raises(ValueError, match="d_k must be even; got 3"):
            made(way, d_k=3, positional="rotary")
    w = made("keyword", positional="rotary")
    with pytest.raises(ValueError, match="d_k must be even; got 5"):
        w.d_k = 5
    assert w.d_k == 4
    follows(w)


@pytest.mark.parametrize("name", CHANGES)
def test_one_message_for_one_setting(name):
    w = made("keyword")
    w.comm = RecordingComm()
    setattr(w, name, CHANGES[name])
    (sent,) = w.comm.states()
    assert {name, "revision", "history"} <= set(sent)
    assert w.undo()
    assert len(w.comm.states()) == 2


def test_a_group_of_settings_is_one_change():
    w = made("keyword")
    w.comm = RecordingComm()
    with w.hold_trait_notifications():
        w.tokens = "a b c"
        w.embeddings = np.ones((3, 5))  # of the new size
        w.n_heads = 3
        w.head = 2
        w.presets = "causal"
    assert len(w.comm.states()) == 1
    assert w.Q.shape == (3, 3, 4)
    assert w.shown == (0, 2, "self")
    np.testing.assert_array_equal(w.mask, np.triu(np.ones((3, 3), bool), 1))
    follows(w, np.ones((3, 5)))
    assert w.history == (1, 0)
    assert w.undo()
    assert w.tokens == tuple(SENTENCE.split())
    assert not w.mask.any()


@pytest.mark.parametrize("how", ["one is wrong", "together they are", "an error of the caller's"])
def test_a_group_is_taken_whole_or_not_at_all(how):
    w = made("keyword")
    w.comm = RecordingComm()
    before = state(w)
    with pytest.raises((ValueError, KeyError)), w.hold_trait_notifications():  # noqa: PT012
        w.seed = 5
        w.view = "steps"
        if how == "one is wrong":
            w.Q = np.ones((2, 2))
        elif how == "together they are":
            w.d_k = 3
            w.positional = "rotary"
        else:
            w.Q = np.ones((2, 2))
            raise KeyError("mine")
    unchanged(w, before)
    assert w.comm.sent == []
    w.seed = 6
    follows(w, np.random.RandomState(6).rand(6, 5))


def test_within_a_group_an_edit_happens_at_once():
    w = made("keyword")
    w.seed = 3
    with w.hold_trait_notifications():
        w.undo()
        assert w.seed == 0
        w.toggle(0, 1)
    follows(w, np.random.RandomState(0).rand(6, 5))
    np.testing.assert_array_equal(np.argwhere(w.mask), [[0, 1]])


@pytest.mark.parametrize("temperature", [0, 0.5, 1])
@pytest.mark.parametrize("positional", ["none", "alibi"])
@pytest.mark.parametrize("n_heads", [1, 2])
def test_the_previewed_shift_is_what_masking_does(temperature, positional, n_heads):
    w = made("keyword", n_heads=n_heads, temperature=temperature, positional=positional)
    w.mask = np.array([0, 0, 1, 0, 0, 0])
    w.mask = w.mask | (np.arange(6)[:, None] == 4) & (np.arange(6) != 1)  # one key left
    previewed, bias = w.output_shift, 0 if w.bias is None else w.bias
    assert previewed.shape == w.attention.shape
    for i in range(6):
        for j in range(6):
            mask = w.mask.copy()
            mask[i, j] = True
            _, moved = maps(w.Q, w.K, w.V, mask, bias=bias, temperature=temperature)
            distance = np.linalg.norm(moved - w.output, axis=-1)[..., i]
            np.testing.assert_allclose(previewed[..., i, j], distance, atol=1e-12)


def test_no_title_is_an_empty_one():
    w = AttentionWidget("the cat", title="Cats")
    w.title = None
    assert w.title == ""
    assert w.get_state()["title"] == ""


@pytest.mark.parametrize("title", [3, b"Cats", ["Cats"]])
def test_a_title_is_text(title):
    w = AttentionWidget("the cat", title="Cats")
    with pytest.raises(TypeError, match=r"title: got \w+, want a str, or None for none"):
        w.title = title
    assert w.title == "Cats"
