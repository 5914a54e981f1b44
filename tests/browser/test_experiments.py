"""Part 3 of the lab by mouse and keyboard: sentence, sizes, weights, positions, heads, masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect
from stepsview import ask

MAKE = "from attnwidget import AttentionWidget, causal_mask\n"
WIDGET = MAKE + "w = AttentionWidget('The cat sat on the mat', d_k=3)"


def weights(Q, K, mask=None, scale=None, temperature=1.0):
    """Attention by torch; the argmax where the temperature is 0."""
    scores = torch.tensor(np.array(Q)) @ torch.tensor(np.array(K)).T
    scores = scores * (len(K[0]) ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(torch.tensor(mask), -torch.inf)
    if temperature == 0:
        return torch.nn.functional.one_hot(scores.argmax(-1), len(K)).numpy()
    return torch.softmax(scores / temperature, -1).numpy()


@pytest.fixture(scope="module")
def opened(module_lab):
    notebook = module_lab.notebook([WIDGET, "w"])
    MapView(notebook).root.locator(".aw-experiments > summary").click()
    return notebook


@pytest.fixture
def view(opened):
    opened.run_cell(
        "w.positional = 'none'; w.tokens = 'The cat sat on the mat'; w.n_heads = 1\n"
        "w.d_model = 4; w.d_k = 3; w.d_v = 3; w.seed = 0; w.init = 'uniform'; w.scale = None\n"
        "w.temperature = 1; w.mask = None; w.error = ''; w.quantity = 'attention'; w.head = 0"
    )
    view = MapView(opened)
    view.masked(0, 36)
    return view


def field(view, label):
    if label == "heads":
        return view.root.get_by_role("spinbutton", name=label)
    return view.root.get_by_label(label, exact=True)


def page_attention(view, rows=6, cols=6):
    return np.array([[view.value(q, k) for k in range(cols)] for q in range(rows)])


def test_a_sentence_is_typed_and_masks_stay_where_they_can(view, opened):
    view.click(1, 2)
    view.click(5, 5)
    field(view, "sentence").fill("One two, three!")
    field(view, "sentence").press("Enter")
    view.masked(1, 25)
    opened.run_until("print(w.tokens)", "('One', 'two', ',', 'three', '!')")
    assert ask(opened, "w.mask.tolist()")[1][2]
    expect(field(view, "sentence")).to_have_value("One two, three!")
    X = np.random.RandomState(0).rand(5, 4)
    rng = np.random.RandomState(0)
    mask = np.zeros((5, 5), bool)
    mask[1, 2] = True
    want = weights(X @ rng.rand(4, 3), X @ rng.rand(4, 3), mask)
    np.testing.assert_allclose(page_attention(view, 5, 5), want, atol=5.1e-5)


@pytest.mark.parametrize(("label", "value"), [("d_model", 7), ("d_k", 5), ("d_v", 2), ("seed", 11)])
def test_sizes_and_seed(view, opened, label, value):
    field(view, label).fill(str(value))
    field(view, label).press("Enter")
    opened.run_until(f"print(w.{label})", str(value))
    sizes = {"d_model": 4, "d_k": 3, "d_v": 3, "seed": 0} | {label: value}
    X = np.random.RandomState(sizes["seed"]).rand(6, sizes["d_model"])
    rng = np.random.RandomState(sizes["seed"])
    Q, K = (X @ rng.rand(sizes["d_model"], sizes["d_k"]) for _ in range(2))
    V = X @ rng.rand(sizes["d_model"], sizes["d_v"])
    expect(view.root.locator(".aw-settings")).to_contain_text(
        f"{label} {value}" if label != "seed" else "seed 11"
    )
    np.testing.assert_allclose(page_attention(view), weights(Q, K), atol=5.1e-5)
    np.testing.assert_allclose(ask(opened, "w.output.tolist()"), weights(Q, K) @ V, atol=1e-9)
    others = {name: ask(opened, f"w.{name}") for name in sizes}
    assert others == sizes


@pytest.mark.parametrize(
    ("label", "typed", "says"),
    [
        ("d_k", "0", "d_k: got “0”, want at least 1"),
        ("d_model", "5000", "d_model: got “5000”, want at most 256"),
        ("heads", "17", "heads: got “17”, want at most 16"),
        ("d_v", "2.5", "d_v: got “2.5”, want a whole number"),
        ("seed", "", "seed: got “”, want a whole number"),
    ],
)
def test_a_size_that_cannot_be_is_said_and_the_old_one_is_back(view, opened, label, typed, says):
    name = "n_heads" if label == "heads" else label
    before = ask(opened, f"w.{name}")
    box = field(view, label)
    box.fill(typed)
    box.press("Enter")
    message = view.root.get_by_role("alert")
    expect(message).to_contain_text(says)
    assert ask(opened, f"w.{name}") == before
    # The message stands under the field, and the typed text is kept and selected.
    expect(box).to_have_value(typed)
    expect(box).to_have_attribute("aria-invalid", "true")
    assert box.get_attribute("aria-describedby") == message.get_attribute("id")
    assert box.evaluate("box => box.ownerDocument.getSelection().toString()") == typed
    below = message.bounding_box()["y"] - box.bounding_box()["y"] - box.bounding_box()["height"]
    assert 0 <= below < 12
    box.press("Escape")
    expect(box).to_have_value(str(before))
    expect(message).to_be_hidden()


def test_the_message_of_a_field_goes_with_the_next_valid_value(view, opened):
    box = field(view, "d_k")
    box.fill("0")
    box.press("Enter")
    message = view.root.get_by_role("alert")
    expect(message).to_have_text("d_k: got “0”, want at least 1")
    view.click(1, 2)  # another edit is not about the field
    expect(message).to_be_visible()
    box.fill("5")
    box.press("Enter")
    opened.run_until("print(w.d_k)", "5")
    expect(message).to_be_hidden()
    assert box.get_attribute("aria-invalid") is None


def test_an_empty_sentence_is_refused(view, opened):
    field(view, "sentence").fill("   ")
    field(view, "sentence").press("Enter")
    expect(view.root.get_by_role("alert")).to_contain_text("sentence: got none")
    assert len(ask(opened, "w.tokens")) == 6
    field(view, "sentence").press("Escape")


@pytest.mark.parametrize("init", ["normal", "identity", "orthogonal"])
def test_the_weights_are_drawn_otherwise(view, opened, init):
    field(view, "weights").select_option(init)
    opened.run_until("print(w.init)", init)
    rng = np.random.RandomState(0)
    W = np.array(ask(opened, "w.W_q.tolist()"))
    want = {"normal": rng.randn(4, 3), "identity": np.eye(4, 3), "orthogonal": None}[init]
    if want is None:
        np.testing.assert_allclose(W.T @ W, np.eye(3), atol=1e-12)
    else:
        np.testing.assert_allclose(W, want)
    Q, K = (ask(opened, f"w.{name}.tolist()") for name in "QK")
    np.testing.assert_allclose(page_attention(view), weights(Q, K), atol=5.1e-5)


def test_randomise_shows_its_seed(view, opened):
    before = ask(opened, "w.W_q.tolist()")
    view.root.get_by_label("randomise: another seed").click()
    opened.run_until("print(w.seed != 0)", "True")
    seed = ask(opened, "w.seed")
    expect(field(view, "seed")).to_have_value(str(seed))
    assert ask(opened, "w.W_q.tolist()") != before
    np.testing.assert_allclose(
        ask(opened, "w.W_q.tolist()"), np.random.RandomState(seed).rand(4, 3), atol=1e-15
    )


def test_positions(view, opened):
    opened.run_cell("w.d_k = 4")
    field(view, "positions").select_option("rotary")
    opened.run_until("print(w.positional)", "rotary")
    X = np.random.RandomState(0).rand(6, 4)
    rng = np.random.RandomState(0)
    turned = []
    for _ in range(2):
        made = torch.view_as_complex(torch.tensor(X @ rng.rand(4, 4)).reshape(6, 2, 2))
        angle = torch.arange(6.0)[:, None] / torch.tensor([1.0, 100.0], dtype=torch.float64)
        made = torch.view_as_real(made * torch.polar(torch.ones_like(angle), angle))
        turned.append(made.reshape(6, 4).numpy())
    np.testing.assert_allclose(page_attention(view), weights(*turned), atol=5.1e-5)
    field(view, "d_k").fill("3")
    field(view, "d_k").press("Enter")
    expect(view.root.get_by_role("alert")).to_contain_text("positions: rotary turns pairs")
    expect(view.root.get_by_role("alert")).to_contain_text("d_k must be even; got 3")
    field(view, "d_k").press("Escape")


@pytest.mark.parametrize("temperature", [0, 0.25, 2])
def test_temperature(view, opened, temperature):
    field(view, "temperature").fill(str(temperature))
    opened.run_until(f"print(w.temperature == {temperature})", "True")
    Q, K = (ask(opened, f"w.{name}.tolist()") for name in "QK")
    want = weights(Q, K, temperature=temperature)
    np.testing.assert_allclose(ask(opened, "w.attention.tolist()"), want, atol=1e-12)
    np.testing.assert_allclose(page_attention(view), want, atol=5.1e-5)


def test_without_the_scale(view, opened):
    field(view, "divide by √d_k").uncheck()
    opened.run_until("print(w.scale)", "1.0")
    Q, K = (ask(opened, f"w.{name}.tolist()") for name in "QK")
    np.testing.assert_allclose(page_attention(view), weights(Q, K, scale=1), atol=5.1e-5)
    opened.run_cell("w.d_k = 5")
    assert ask(opened, "w.scale") == 1
    field(view, "divide by √d_k").check()
    opened.run_until("print(round(w.scale, 6))", str(round(5**-0.5, 6)))


def test_heads_side_by_side_and_one_large(view, opened):
    field(view, "heads").fill("3")
    field(view, "heads").press("Enter")
    heads = view.root.get_by_role("radiogroup", name="heads").get_by_role("radio")
    expect(heads).to_have_count(3)
    heads.nth(2).click()
    opened.run_until("print(w.n_heads, w.head)", "3 2")
    expect(heads.nth(2)).to_have_attribute("aria-checked", "true")
    X = np.random.RandomState(0).rand(6, 4)
    rng = np.random.RandomState(0)
    W_q, W_k = rng.rand(3, 4, 3), rng.rand(3, 4, 3)
    want = [weights(X @ W_q[h], X @ W_k[h]) for h in range(3)]
    np.testing.assert_allclose(page_attention(view), want[2], atol=5.1e-5)
    # Each thumbnail has a pixel for each cell, in the colours of the map.
    for h in range(3):
        thumb = heads.nth(h).locator("canvas")
        size = thumb.evaluate("canvas => [canvas.width, canvas.height]")
        assert size == [6, 6]
        data = thumb.evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(0, 0, 6, 6).data]"
        )
        green = np.array(data).reshape(6, 6, 4)[..., 1]
        # Viridis' green channel rises with the weight.
        assert np.corrcoef(green.ravel(), want[h].ravel())[0, 1] > 0.9
    heads.nth(2).press("ArrowLeft")
    opened.run_until("print(w.head)", "1")
    np.testing.assert_allclose(page_attention(view), want[1], atol=5.1e-5)


def test_presets_add_up_with_each_other_and_with_hands(view, opened):
    causal = np.triu(np.ones((6, 6), bool), 1)
    far = abs(np.subtract.outer(np.arange(6), np.arange(6)))
    for name in ("causal", "window"):
        view.root.get_by_role("button", name=name, exact=True).click()
    view.masked(int((causal | (far > 1)).sum()), 36)
    view.click(3, 3)
    view.click(0, 5)  # frees what both presets mask
    view.root.get_by_label("±1: keys to either side").click()
    view.root.get_by_label("more keys to either side").click()
    view.settled()
    want = causal | (far > 2)
    want[3, 3], want[0, 5] = True, False
    assert ask(opened, "w.mask.tolist()") == want.tolist()
    assert ask(opened, "dict(w.presets)") == {"causal": True, "window": 2}
    view.root.get_by_role("button", name="causal", exact=True).click()
    view.settled()
    want = far > 2
    want[3, 3], want[0, 5] = True, False
    assert ask(opened, "w.mask.tolist()") == want.tolist()
    view.root.get_by_label("undo (Ctrl+Z)").click()
    view.settled()
    assert ask(opened, "dict(w.presets)") == {"causal": True, "window": 2}
    expect(view.root.get_by_role("button", name="causal", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    view.root.get_by_label("clear the mask").click()
    view.masked(0, 36)
    opened.run_until("print(w.presets)", "{}")


def test_padding_says_which_tokens(view, opened):
    view.root.get_by_role("button", name="padding", exact=True).click()
    # No token is a pad token: the menu opens, and nothing is hidden.
    view.masked(0, 36)
    boxes = view.root.get_by_role("group", name="padded tokens").get_by_role("checkbox")
    boxes.nth(5).check()
    view.masked(6, 36)
    boxes.nth(1).check()
    view.masked(12, 36)
    view.settled()
    assert ask(opened, "dict(w.presets)") == {"padding": [1, 5]}
    assert ask(opened, "w.mask.all(axis=0).tolist()") == [False, True, False, False, False, True]
    boxes.nth(5).uncheck()
    view.masked(6, 36)


def test_blocks_are_sentences(view, opened):
    opened.run_cell("w.tokens = 'It rains. We stay in.'")
    view.masked(0, 49)
    view.root.get_by_role("button", name="block", exact=True).click()
    view.masked(24, 49)  # 3 tokens in one sentence, 4 in the other
    opened.run_cell("w.tokens = 'It rains now. We stay.'")
    view.masked(24, 49)
    assert ask(opened, "w.mask[0].tolist()") == [False] * 4 + [True] * 3


def test_colours_show_the_effect_of_masking_before_it_is_done(view, opened):
    view.click(2, 3)
    view.root.get_by_role("radio", name="effect").click()
    opened.run_until("print(w.quantity)", "output-shift")
    Q, K, V = (np.array(ask(opened, f"w.{name}.tolist()")) for name in "QKV")
    mask = np.zeros((6, 6), bool)
    mask[2, 3] = True
    output = weights(Q, K, mask) @ V
    for q, k in [(0, 0), (2, 1), (2, 3), (5, 4)]:
        masked = mask.copy()
        masked[q, k] = True
        moved = np.linalg.norm((weights(Q, K, masked) @ V - output)[q])
        assert view.value(q, k) == pytest.approx(moved, abs=5.1e-5)
    assert ask(opened, "w.output_shift[5, 4]") == pytest.approx(moved, abs=1e-9)
    expect(view.root.get_by_role("radio", name="0–1")).to_be_disabled()


def test_cross_attention_is_not_square(module_lab):
    cell = MAKE + (
        "w = AttentionWidget('the black cat', key_tokens='le chat noir dort ici', d_k=2)\nw"
    )
    opened = module_lab.notebook([cell])
    view = MapView(opened)
    X, Y = np.random.RandomState(0).rand(3, 4), np.random.RandomState([0, 1]).rand(5, 4)
    rng = np.random.RandomState(0)
    want = weights(X @ rng.rand(4, 2), Y @ rng.rand(4, 2))
    np.testing.assert_allclose(page_attention(view, 3, 5), want, atol=5.1e-5)
    view.click(2, 4)
    opened.run_until("print(w.mask.shape, w.mask[2, 4])", "(3, 5) True")
    expect(view.root.locator(".aw-pair")).to_have_text("cat→ici")
    view.root.locator(".aw-experiments > summary").click()
    field(view, "key sentence").fill("un chien")
    field(view, "key sentence").press("Enter")
    opened.run_until("print(w.attention.shape)", "(3, 2)")
    view.masked(0, 6)


def test_given_weights_are_shown_as_they_are(module_lab):
    cell = """import torch
from attnwidget import AttentionWidget
a = torch.softmax(torch.arange(24.).reshape(2, 3, 4) % 7, -1)
a[1, 2] *= 0.5
w = AttentionWidget.from_arrays(a, 'a b c', 'w x y z', head=1)
w"""
    opened = module_lab.notebook([cell])
    view = MapView(opened)
    a = torch.softmax(torch.arange(24.0).reshape(2, 3, 4) % 7, -1)
    a[1, 2] *= 0.5
    np.testing.assert_allclose(page_attention(view, 3, 4), a[1].numpy(), atol=5.1e-5)
    expect(view.root.locator(".aw-notice")).to_contain_text(
        "1 of 6 rows do not sum to 1 (row 2 of layer 0, head 1 sums to 0.5)"
    )
    view.click(2, 0)
    opened.run_until("print(w.mask[2, 0])", "True")
    left = a[1, 2].clone()
    left[0] = 0
    want = left / left.sum() * 0.5
    np.testing.assert_allclose([view.value(2, k) for k in range(4)], want.numpy(), atol=5.1e-5)
    np.testing.assert_allclose(ask(opened, "w.attention[2].tolist()"), want.numpy(), atol=1e-6)
    expect(view.root.get_by_role("radio", name="Steps")).to_be_disabled()
    expect(view.root.locator(".aw-experiments")).to_be_hidden()
