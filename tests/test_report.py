"""What the widget shows beside its maps: a checked function, a mistake switched on."""

from __future__ import annotations

import numpy as np
import pytest
from architectures import ARCHITECTURES
from byhand import maps, state, unchanged, unpack
from recording import RecordingComm

from attnwidget import AttentionWidget
from attnwidget.lessons.mistakes import MISTAKES

SIZES = {"d_model": 6, "d_k": 4, "d_v": 3}


@pytest.fixture(params=[1, 2], ids=["one head", "two heads"])
def w(request):
    widget = AttentionWidget(
        "a b c", key_tokens="u v x y z", n_heads=request.param, init="normal", **SIZES
    )
    widget.head = request.param - 1
    widget.mask = np.array([[0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 0]])
    widget.comm = RecordingComm()
    return widget


def shown(w):
    """Q, K and mask of the head on screen."""
    return (*(a[w.head] if a.ndim > 2 else a for a in (w.Q, w.K)), w.mask)


def right(w):
    Q, K, mask = shown(w)
    return maps(Q, K, np.zeros((len(K), 1)), mask, scale=w.scale)[0]


def on_page(w):
    """The report as the page got it, its maps as arrays."""
    sent = [s["report"] for s in w.comm.states() if "report" in s][-1]
    return sent and {k: unpack(v) if isinstance(v, dict) else v for k, v in sent.items()}


def softmax(s, axis):
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def no_scale(Q, K, mask):
    return softmax(np.where(mask, -np.inf, Q @ K.T), 1)


def wrong_axis(Q, K, mask):
    return softmax(np.where(mask, -np.inf, Q @ K.T / 2), 0)


def mask_after(Q, K, mask):
    return softmax(Q @ K.T / 2, 1) * (1 - mask)


def multiplied(Q, K, mask):
    return softmax(Q @ K.T / 2 * (1 - mask), 1)


def sign(Q, K, mask):
    return softmax(Q @ K.T / 2 + 1e9 * mask, 1)


def second_call(Q, K, mask):
    """Q /= √d_k, run twice on the same Q."""
    Q = Q / 2
    Q = Q / 2
    return softmax(np.where(mask, -np.inf, Q @ K.T), 1)


DEFINED = {
    "no-scale": no_scale,
    "wrong-axis": wrong_axis,
    "mask-after-softmax": mask_after,
    "mask-multiplied": multiplied,
    "mask-sign": sign,
    "in-place": second_call,
}


@pytest.mark.parametrize("name", DEFINED)
def test_a_mistake_s_weights(w, name):
    w.mistake = name
    report = w.report
    assert (report.kind, report.name, report.case) == ("mistake", name, "given")
    np.testing.assert_allclose(report.got, DEFINED[name](*shown(w)), atol=1e-12)
    np.testing.assert_allclose(report.expected, right(w), atol=1e-12)
    np.testing.assert_allclose(report.difference, report.got - right(w), atol=1e-12)
    np.testing.assert_array_equal(report.mask, w.mask)
    assert MISTAKES[name].breaks in report.message
    page = on_page(w)
    np.testing.assert_allclose(page["got"], report.got, atol=1e-6)
    np.testing.assert_allclose(page["expected"], report.expected, atol=1e-6)
    np.testing.assert_array_equal(page["mask"], w.mask)
    np.testing.assert_allclose(w.attention[..., w.head, :, :] if w.Q.ndim > 2 else w.attention,
                               right(w), atol=1e-12)  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_can_be_switched_on(w, name):
    w.mistake = name
    assert w.report.name == name
    if name in ("keepdims", "not-transposed"):  # fails on these shapes: said
        assert w.report.got is None
        assert "the code fails" in w.report.message
    w.mistake = None
    assert w.report is None


def test_overflow_shows_where_the_numbers_end():
    Q = np.array([[800.0], [1.0]])
    w = AttentionWidget("a b", Q=Q, K=np.ones((2, 1)), V=np.ones((2, 1)))
    w.mistake = "overflow"
    assert np.isnan(w.report.got[0]).all()
    np.testing.assert_allclose(w.report.got[1], [0.5, 0.5])
    np.testing.assert_allclose(w.report.expected, 0.5)
    assert "The largest score here is 800;" in w.report.message


def test_a_mistake_follows_every_change(w):
    w.mistake = "no-scale"
    for act in (
        lambda: w.toggle(0, 0),
        lambda: setattr(w, "seed", 5),
        lambda: setattr(w, "tokens", "a b c d e f"),
        lambda: setattr(w, "scale", 0.1),
        lambda: setattr(w, "key_tokens", "u v"),
        w.undo,
    ):
        w.comm.sent.clear()
        act()
        assert len(w.comm.states()) == 1
        np.testing.assert_allclose(w.report.got, no_scale(*shown(w)), atol=1e-12)
        np.testing.assert_allclose(on_page(w)["expected"], right(w), atol=1e-6)
        assert w.report.revision == w.revision


@pytest.mark.parametrize("what", ["report", "mistake"])
def test_dismissed_with_none(w, what):
    w.mistake = "wrong-axis"
    w.comm.sent.clear()
    setattr(w, what, None)
    assert w.report is None
    assert w.mistake is None
    assert len(w.comm.states()) == 1
    assert on_page(w) is None
    w.toggle(0, 0)
    assert w.report is None


def test_dismissed_from_the_page(w):
    w.mistake = "wrong-axis"
    w.set_state({"mistake": None})
    w.set_state({"report": None})
    assert (w.report, w.mistake, w.error) == (None, None, "")


def correct(Q, K, mask=None):
    s = Q @ K.T / np.sqrt(K.shape[1])
    s = s if mask is None else np.where(mask, -1e30, s)
    return softmax(s, 1)


def test_a_right_function_is_reported(w):
    result = w.check(correct)
    assert result
    assert (w.report.kind, w.report.name) == ("check", "")
    assert w.report.message == result.message
    np.testing.assert_allclose(w.report.got, right(w), atol=1e-12)
    np.testing.assert_allclose(w.report.difference, 0, atol=1e-12)
    np.testing.assert_array_equal(w.report.mask, w.mask)
    assert len(w.comm.states()) == 1


@pytest.mark.parametrize("name", ["no-scale", "wrong-axis", "mask-after-softmax", "mask-sign"])
def test_a_wrong_function_is_reported(w, name):
    def fn(Q, K, mask=None):
        mask = np.zeros((len(Q), len(K))) if mask is None else np.asarray(mask, float)
        s = Q @ K.T / (1 if name == "no-scale" else np.sqrt(K.shape[1]))
        if name == "mask-sign":
            s = s + 1e9 * mask
        elif name != "mask-after-softmax":
            s = s - 1e9 * mask
        weights = softmax(s, 0 if name == "wrong-axis" else 1)
        return weights * (1 - mask) if name == "mask-after-softmax" else weights

    result = w.check(fn)
    assert result.mistake == name == w.report.name
    assert result.case == "given"
    np.testing.assert_allclose(w.report.expected, right(w), atol=1e-12)
    np.testing.assert_allclose(w.report.difference, fn(*shown(w)) - right(w), atol=1e-12)
    np.testing.assert_allclose(on_page(w)["got"], fn(*shown(w)), atol=1e-6)


def test_changed_inputs_are_reported_and_the_widget_keeps_its_own(w):
    Q = w.Q.copy()

    def fn(Q, K, mask=None):
        Q /= np.sqrt(K.shape[1])
        s = Q @ K.T
        return softmax(s if mask is None else np.where(mask, -1e30, s), 1)

    assert w.check(fn).mistake == "in-place" == w.report.name
    np.testing.assert_array_equal(w.Q, Q)


@pytest.mark.parametrize(
    ("fn", "says"),
    [
        (lambda Q, K, mask: 1 / 0, "ZeroDivisionError"),
        (lambda Q, K, mask: np.ones((2, 2)), r"\(2, 2\)"),
        (lambda Q, K, mask: None, "None"),
        (lambda Q, K, mask: "weights", "str"),
    ],
)
def test_what_cannot_be_compared_is_said(w, fn, says):
    before = {n: v for n, v in state(w).items() if n not in ("report", "_change")}
    result = w.check(fn)
    assert not result
    assert w.report.message == result.message
    with pytest.raises(ValueError, match=says):
        raise ValueError(result.message)
    page = on_page(w)
    assert page["got"] is None
    np.testing.assert_allclose(page["expected"], right(w), atol=1e-6)
    unchanged(w, before)


def test_a_report_outlives_what_is_done_to_the_widget(w):
    w.check(correct)
    report, revision = w.report, w.revision
    w.toggle(0, 0)
    w.seed = 5
    w.undo()
    assert w.report is report
    assert report.revision == revision != w.revision
    w.mistake = "no-scale"
    assert w.report.kind == "mistake"
    w.check(correct)
    assert w.mistake is None, "a check takes its place"
    assert w.report.kind == "check"
    w.toggle(0, 1)
    assert w.report.kind == "check"


def test_a_check_that_cannot_be_leaves_the_report(w):
    w.check(correct)
    report = w.report
    for bad in (lambda: w.check("softmax"), lambda: w.check(correct, mask=np.ones((5, 3)))):
        with pytest.raises((TypeError, ValueError)):
            bad()
    assert w.report is report


def test_what_a_function_cannot_know_is_said(w):
    w.check(correct)
    assert "Compared without" not in w.report.message
    w.temperature = 0.5
    w.positional = "alibi"
    w.scale = 0.3
    result = w.check(lambda Q, K, mask=None: correct(Q * 0.6, K, mask))
    np.testing.assert_allclose(result.expected, right(w), atol=1e-12)
    assert w.report.message.endswith("Compared without the temperature and ALiBi's bias.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("t5", "Compared without the bias that the model adds."),
        ("gemma2", "Compared without the softcap of the scores."),
        ("bloom", "Compared without the bias that the model adds."),
    ],
)
def test_what_a_model_adds_is_not_called_alibi(name, words):
    one = ARCHITECTURES[name]
    w = AttentionWidget.from_model(one.make(), inputs=one.inputs())
    w.check(correct)
    assert w.report.message.endswith(words)
