"""A widget on models with several stacks, on inputs already made, on pairs of texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, DECODER_IDS, IDS, N_DECODER, N
from architectures_eager import eager
from models import FAMILIES, WORDS, tokenizer

from attnwidget import AttentionWidget

SOURCE, TARGET = "the cat sat on a mat there", "a dog saw it"


def bart() -> AttentionWidget:
    return AttentionWidget.from_model(
        ARCHITECTURES["bart"].make(), inputs=ARCHITECTURES["bart"].inputs()
    )


def test_stacks_are_listed_and_picked() -> None:
    w = bart()
    assert [(x.stack, x.index) for x in w.layers] == [
        ("encoder", 0), ("encoder", 1), ("decoder", 0), ("decoder", 1), ("decoder", 2),
        ("cross", 0), ("cross", 1), ("cross", 2),
    ]  # fmt: skip
    assert (w.stack, w.attention.shape, w.key_tokens) == ("encoder", (N, N), None)
    expected = eager(ARCHITECTURES["bart"].make(), ARCHITECTURES["bart"].inputs())
    w.stack = "cross"
    assert w.shown == (0, 0, "cross")
    assert len(w.tokens) == N_DECODER
    assert w.key_tokens is not None
    assert len(w.key_tokens) == N
    np.testing.assert_allclose(w.attention, expected["cross", 0][0], atol=1e-6)
    w.layer, w.head = 2, 1
    np.testing.assert_allclose(w.attention, expected["cross", 2][1], atol=1e-6)
    # The encoder has no layer 2 and more heads.
    w.stack = "encoder"
    assert w.shown == (0, 1, "encoder")
    np.testing.assert_allclose(w.attention, expected["encoder", 0][1], atol=1e-6)
    np.testing.assert_allclose(w.weights(2, 1, stack="cross"), expected["cross", 2][1], atol=1e-6)
    assert w.weights(1, stack="decoder", rows=[3], cols=slice(2)).shape == (2, 1, 2)


def test_each_stack_keeps_its_own_mask() -> None:
    w = bart()
    w.toggle(1, 5)
    w.stack = "cross"
    assert not w.mask.any()
    w.toggle(4, 6)
    w.stack = "encoder"
    assert np.argwhere(w.mask).tolist() == [[1, 5]]
    w.stack = "cross"
    assert np.argwhere(w.mask).tolist() == [[4, 6]]
    assert w.undo()
    assert not w.mask.any()
    # The edit before that was made on the encoder: undo goes where it was.
    assert w.undo()
    assert w.stack == "encoder"
    assert not w.mask.any()


@pytest.mark.parametrize(
    ("act", "error", "wanted"),
    [
        (lambda w: setattr(w, "stack", "self"), ValueError, "stack: got 'self', want one of enc"),
        (lambda w: setattr(w, "stack", 3), ValueError, "stack: got 3, want one of encoder, dec"),
        (lambda w: w.weights(2), ValueError, r"layer: got 2, want 0\.\.1"),
        (lambda w: w.weights(0, stack="vision"), ValueError, "stack: got 'vision', want one of"),
        (lambda w: setattr(w, "layer", 2), ValueError, r"layer: got 2, want 0\.\.1"),
    ],
)
def test_what_is_not_there_is_named(act, error, wanted) -> None:  # type: ignore[no-untyped-def]
    w = bart()
    with pytest.raises(error, match=wanted):
        act(w)
    assert w.shown == (0, 0, "encoder")


def test_source_and_target_are_read_as_in_training() -> None:
    model, words = ARCHITECTURES["bart"].make(), tokenizer()
    w = AttentionWidget.from_model(model, words, (SOURCE, TARGET), stack="cross")
    start = words.convert_ids_to_tokens([model.config.decoder_start_token_id])
    assert list(w.tokens) == [*start, *TARGET.split()]
    assert list(w.key_tokens or ()) == SOURCE.split()
    fed = {
        "input_ids": words(SOURCE, return_tensors="pt").input_ids,
        "decoder_input_ids": torch.tensor([[1, *words(TARGET).input_ids]]),
    }
    np.testing.assert_allclose(w.attention, eager(model, fed)["cross", 0][0], atol=1e-6)


def test_a_source_alone_is_read_by_the_start_token() -> None:
    model = ARCHITECTURES["t5"].make()
    w = AttentionWidget.from_model(model, tokenizer(), SOURCE, stack="cross")
    assert w.attention.shape == (1, N)


def test_positions_name_the_tokens_where_nothing_else_does() -> None:
    w = bart()
    assert list(w.tokens) == [str(i) for i in range(N)]
    w = AttentionWidget.from_model(
        ARCHITECTURES["bart"].make(), tokenizer(), inputs=ARCHITECTURES["bart"].inputs()
    )
    assert list(w.tokens) == [WORDS[i - 2] for i in IDS]
    w.stack = "decoder"
    assert list(w.tokens) == [WORDS[i - 2] for i in DECODER_IDS]


def test_patches_frames_and_images_in_text_have_names() -> None:
    def named(name: str, stack: str | None = None) -> list[str]:
        one = ARCHITECTURES[name]
        return list(AttentionWidget.from_model(one.make(), inputs=one.inputs(), stack=stack).tokens)

    assert named("vit")[:3] == ["CLS", "0,0", "0,1"]
    assert named("wav2vec2")[:2] == ["frame 0", "frame 1"]
    assert named("clip", "vision")[:2] == ["CLS", "0,0"]
    text = named("llava")
    assert [token for token in text if token.startswith("image ")] == [
        "image 0,0", "image 0,1", "image 1,0", "image 1,1",
    ]  # fmt: skip
    # Qwen2-VL's patches come in blocks of 2 × 2.
    assert named("qwen2-vl", "vision")[:4] == ["0,0", "0,1", "1,0", "1,1"]


def test_a_sink_is_on_screen_and_cannot_be_lost() -> None:
    one = ARCHITECTURES["gpt-oss"]
    w = AttentionWidget.from_model(one.make(), inputs=one.inputs())
    wanted = eager(one.make(), one.inputs())["self", 0]
    assert w.key_tokens is not None
    assert w.key_tokens[-1] == "sink"
    assert w.attention.shape == (N, N + 1)
    np.testing.assert_allclose(w.attention[:, :-1], wanted[0], atol=1e-6)
    np.testing.assert_allclose(w.attention.sum(axis=1), 1, atol=1e-6)
    assert w.weights(0).shape == (4, N, N)
    # What a masked key had goes to the others and to the sink, in proportion.
    w.toggle(3, 1)
    left = 1 - wanted[0][3, 1]
    np.testing.assert_allclose(w.attention[3, 0], wanted[0][3, 0] / left, atol=1e-5)
    np.testing.assert_allclose(w.attention[3, -1], (1 - wanted[0][3].sum()) / left, atol=1e-5)


def test_attention_without_q_and_k_says_so() -> None:
    one = ARCHITECTURES["longformer"]
    w = AttentionWidget.from_model(one.make(), inputs=one.inputs())
    assert w.Q is None
    with pytest.raises(ValueError, match="view: 'steps' needs Q, K and V"):
        w.view = "steps"
    before = w.attention[2].copy()
    key = int(before.argmax())
    w.toggle(2, key)
    expected = before.copy()
    expected[key] = 0
    np.testing.assert_allclose(w.attention[2], expected / expected.sum(), atol=1e-6)


def test_two_sentences_are_read_together() -> None:
    model, words = FAMILIES["bert"](), tokenizer()
    w = AttentionWidget.from_model(model, words, ("the cat", "a dog saw"))
    assert list(w.tokens) == ["the", "cat", "a", "dog", "saw"]
    text = w.store.now.source.text
    assert text is not None
    assert text.second == 2
