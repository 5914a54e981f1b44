"""Sub-tokens put together to words, special tokens left out: maps by hand, tokenizers for real."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from models import FAMILIES
from models import tokenizer as word_level
from transformers import GPT2Config, GPT2Model
from word_tokenizers import bert, by_loops, byte_level, gpt2, word_piece, words_in

from attnwidget import AttentionWidget


def test_word_pieces_of_a_model():
    w, eager = bert(word_piece(), "the unwanted cats running", layer=1, head=1)
    pieces = ["[CLS]", "the", "un", "##want", "##ed", "cat", "##s", "run", "##ning", "[SEP]"]
    assert (list(w.tokens), w.merge) == (pieces, "tokens")
    groups = ((0,), (1,), (2, 3, 4), (5, 6), (7, 8), (9,))
    w.merge = "words"
    assert list(w.tokens) == ["[CLS]", "the", "unwanted", "cats", "running", "[SEP]"]
    assert w.shown == (1, 1, "self")
    np.testing.assert_allclose(w.attention, by_loops(eager[1][1], groups, groups), atol=1e-6)
    np.testing.assert_allclose(w.attention.sum(axis=-1), 1, atol=1e-6)
    assert w.special == (True, False, False, False, False, True)
    w.layer = 0
    np.testing.assert_allclose(w.attention, by_loops(eager[0][1], groups, groups), atol=1e-6)
    np.testing.assert_allclose(w.weights(0)[0], by_loops(eager[0][0], groups, groups), atol=1e-6)
    w.merge = "tokens"
    assert list(w.tokens) == pieces
    np.testing.assert_allclose(w.attention, eager[0][1], atol=1e-6)
    assert w.Q is not None


def test_special_tokens_are_left_out_and_their_weight_with_them():
    w, eager = bert(word_piece(), "the unwanted cats")
    assert w.hide_special is False
    w.hide_special = True
    assert list(w.tokens) == ["the", "un", "##want", "##ed", "cat", "##s"]
    assert not any(w.special)
    np.testing.assert_allclose(w.attention, eager[0][0][1:-1, 1:-1], atol=1e-6)
    rest = 1 - eager[0][0][1:-1, [0, -1]].sum(axis=-1)
    np.testing.assert_allclose(w.attention.sum(axis=-1), rest, atol=1e-6)
    w.merge = "words"
    groups = ((1,), (2, 3, 4), (5, 6))
    assert list(w.tokens) == ["the", "unwanted", "cats"]
    np.testing.assert_allclose(w.attention, by_loops(eager[0][0], groups, groups), atol=1e-6)
    # Means are of the same tokens, and made before tokens are left out.
    w.stack = "mean over heads"
    assert (w.merge, w.hide_special) == ("words", True)
    np.testing.assert_allclose(w.attention, by_loops(eager[0].mean(0), groups, groups), atol=1e-6)
    w.stack, w.hide_special = "self", False
    assert len(w.tokens) == 5


def test_sentences_of_a_pair_keep_their_words_and_their_border():
    w, eager = bert(word_piece(), ("cats", "cats running"))
    pieces = ["[CLS]", "cat", "##s", "[SEP]", "cat", "##s", "run", "##ning", "[SEP]"]
    assert (list(w.tokens), w.sentence_b_start) == (pieces, 4)
    w.merge = "words"
    assert list(w.tokens) == ["[CLS]", "cats", "[SEP]", "cats", "running", "[SEP]"]
    assert w.sentence_b_start == 3
    groups = ((0,), (1, 2), (3,), (4, 5), (6, 7), (8,))
    np.testing.assert_allclose(w.attention, by_loops(eager[0][0], groups, groups), atol=1e-6)
    w.hide_special = True
    assert (list(w.tokens), w.sentence_b_start) == (["cats", "cats", "running"], 1)


def test_a_sentence_of_one_word_does_not_run_into_the_next():
    """Without special tokens between them both sentences begin with word 0."""
    w = AttentionWidget.from_model(FAMILIES["bert"](), word_level(), ("the", "a dog saw"))
    w.merge = "words"
    assert list(w.tokens) == ["the", "a", "dog", "saw"]
    assert w.sentence_b_start == 1


def test_words_are_not_joined_across_a_special_token():
    tokenizer = byte_level()
    w = gpt2(tokenizer, "café<|endoftext|>café")
    w.merge = "words"
    assert list(w.tokens) == ["café", "<|endoftext|>", "café"]
    assert w.special == (False, True, False)
    w.hide_special = True
    assert list(w.tokens) == ["café", "café"]
    assert w.attention.shape == (2, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the naïve café", ["the", "␣naïve", "␣café"]),
        ("the 日本語 cat", ["the", "␣日本語", "␣cat"]),
        ("cat 🙂", ["cat", "␣🙂"]),
        ("🙂🙂 the", ["🙂🙂", "␣the"]),
        ("the 👩\u200d👧 sat", ["the", "␣👩\u200d👧", "␣sat"]),
        ("unknown, words!", ["unknown", ",", "␣words", "!"]),
    ],
)
def test_bytes_are_words_again(text, words):
    w = gpt2(byte_level(), text)
    assert len(w.tokens) > len(words)
    before = w.weights(0)[0]
    w.merge = "words"
    assert list(w.tokens) == words
    assert "".join(w.tokens).replace("␣", " ") == text
    np.testing.assert_allclose(w.attention.sum(axis=-1), 1, atol=1e-6)
    # A causal first word sees itself alone.
    np.testing.assert_allclose(w.attention[0, 0], 1, atol=1e-6)
    assert before.shape[0] == len(byte_level()(text)["input_ids"])


def test_inputs_already_made_have_words_by_their_labels():
    """No tokenizer was asked for words: what is special, or an image, still is in none."""
    tokenizer = byte_level()
    inputs = tokenizer("the café<|endoftext|>the rug", return_tensors="pt")
    config = GPT2Config(vocab_size=len(tokenizer), n_layer=1, n_head=2, n_embd=8, n_positions=64)
    w = AttentionWidget.from_model(GPT2Model(config).eval(), tokenizer, inputs=dict(inputs))
    w.merge = "words"
    assert list(w.tokens) == ["the", "␣café", "<|endoftext|>", "the", "␣rug"]
    assert w.special == (False, False, True, False, False)

    one = ARCHITECTURES["llava"]
    model, image = one.make(), one.inputs()
    before, after = (tokenizer(text)["input_ids"] for text in ("the café", " rug"))
    picture = [model.config.image_token_id] * 4
    image["input_ids"] = torch.tensor([[*before, *picture, *after]])
    image["attention_mask"] = torch.ones_like(image["input_ids"])
    model.resize_token_embeddings(len(tokenizer))
    w = AttentionWidget.from_model(model, tokenizer, inputs=image)
    w.merge = "words"
    names = ["image 0,0", "image 0,1", "image 1,0", "image 1,1"]
    assert list(w.tokens) == ["the", "␣café", *names, "␣rug"]


def test_an_emoji_split_over_tokens_is_one_column():
    tokenizer = byte_level()
    w = gpt2(tokenizer, "the 🙂 cat")
    start, n = words_in(tokenizer, "the"), words_in(tokenizer, " 🙂")
    assert n >= 4, "bytes that the tokenizer never saw together"
    before = w.weights(0)[0]
    w.merge = "words"
    assert list(w.tokens) == ["the", "␣🙂", "␣cat"]
    want = before[start + n :, start : start + n].sum(axis=-1).mean()
    np.testing.assert_allclose(w.attention[2, 1], want, atol=1e-6)


def test_each_way_to_see_the_tokens_keeps_its_own_mask():
    w, _ = bert(word_piece(), "the unwanted cats")
    w.toggle(2, 4)
    w.merge = "words"
    assert not w.mask.any()
    w.toggle(2, 1)
    before = w.weights(0)[0]
    want = before[2].copy()
    want[1] = 0
    np.testing.assert_allclose(w.attention[2], want * before[2].sum() / want.sum(), atol=1e-6)
    w.merge = "tokens"
    assert np.argwhere(w.mask).tolist() == [[2, 4]]
    w.merge = "words"
    assert np.argwhere(w.mask).tolist() == [[2, 1]]
    # Undo goes back through each choice and each mask, one at a time.
    states = []
    while w.undo():
        states.append((w.merge, np.argwhere(w.mask).tolist()))
    assert states == [
        ("tokens", [[2, 4]]),
        ("words", [[2, 1]]),
        ("words", []),
        ("tokens", [[2, 4]]),
        ("tokens", []),
    ]


def test_undo_of_words_and_hidden_special_tokens_restores_mask_and_selection():
    w, _ = bert(word_piece(), "the unwanted cats")
    w.toggle(2, 4)
    w.selection = (2, 4)
    w.merge = "words"
    w.selection = (1, 3)
    w.hide_special = True
    w.selection = (0, 0)
    seen = [(w.merge, w.hide_special, w.selection)]
    for move in (w.undo, w.undo, w.redo, w.redo):
        assert move()
        seen.append((w.merge, w.hide_special, w.selection))
    clicks = [("words", True, (0, 0)), ("words", False, (1, 3)), ("tokens", False, (2, 4))]
    assert seen == [*clicks, *clicks[1::-1]]
    w.undo()
    w.undo()
    assert np.argwhere(w.mask).tolist() == [[2, 4]]


def test_both_sides_of_cross_attention_are_merged():
    words, model = byte_level(), ARCHITECTURES["t5"].make()
    model.resize_token_embeddings(len(words))
    w = AttentionWidget.from_model(model, words, ("the sat cafés", "naïve zebra"), stack="cross")
    before, n_k = w.weights(1)[0], len(w.key_tokens)
    w.merge = "words"
    assert list(w.key_tokens) == ["the", "␣sat", "␣cafés"]
    assert list(w.tokens) == ["<|endoftext|>", "naïve", "␣zebra"]
    assert before.shape[0] > 3
    assert before.shape[1] == n_k > 3
    w.layer = 1
    np.testing.assert_allclose(w.attention.sum(axis=-1), 1, atol=1e-5)
    # The decoder's start token, a word of its own, sums what each source word's tokens get.
    np.testing.assert_allclose(w.attention[0, 0], before[0, 0], atol=1e-6)
    np.testing.assert_allclose(w.attention[0, -1], before[0, -words_in(words, " cafés") :].sum())


def test_a_word_that_is_not_known_is_a_word():
    w, eager = bert(word_piece(), "the zebra")
    assert list(w.tokens) == ["[CLS]", "the", "[UNK]", "[SEP]"]
    w.hide_special = True
    assert list(w.tokens) == ["the", "[UNK]"]
    np.testing.assert_allclose(w.attention, eager[0][0][1:3, 1:3], atol=1e-6)


def test_special_keys_are_hidden_where_no_query_is_special():
    model = ARCHITECTURES["t5"].make()
    read = {"input_ids": torch.tensor([[0, 2, 3]]), "decoder_input_ids": torch.tensor([[4, 5]])}
    w = AttentionWidget.from_model(model, word_level(), inputs=read, stack="cross")
    assert (list(w.key_tokens), w.hide_special) == (["[PAD]", "the", "cat"], False)
    whole = w.attention
    w.hide_special = True
    assert list(w.key_tokens) == ["the", "cat"]
    np.testing.assert_allclose(w.attention, whole[:, 1:], atol=1e-6)


def test_the_choice_is_said():
    w, _ = bert(word_piece(), "the unwanted cats")
    w.merge = "words"
    assert w.notice.startswith("Sub-tokens are put together to words: columns summed, rows av")
    w.hide_special = True
    assert "Special tokens are left out: a row's rest went to them." in w.notice


def test_the_head_line_counts_what_is_shown():
    w, _ = bert(word_piece(), "the unwanted cats")
    n = len(w.tokens)
    assert w.subtitle == f"BertModel · {n} tokens · 2 layers × 2 heads"
    w.merge = "words"
    assert w.subtitle == "BertModel · 5 words · 2 layers × 2 heads"
    w.hide_special = True
    w.stack = "rollout"
    assert w.subtitle == "BertModel · 3 words · 2 layers × 1 head"


def test_words_of_a_page_have_a_mask_of_their_own():
    w, _ = bert(word_piece(), "the unwanted cats")
    w.toggle(1, 0)
    w.set_state({"merge": "words"})
    assert (w.error, w.merge) == ("", "words")
    assert not w.mask.any()
    w.set_state({"merge": "tokens"})
    assert np.argwhere(w.mask).tolist() == [[1, 0]]


def test_a_mark_follows_its_tokens():
    w, _ = bert(word_piece(), "the unwanted cats")
    # [CLS] the un ##want ##ed cat ##s [SEP]
    w.selection = (3, 6)
    w.merge = "words"
    assert (w.tokens[w.selection[0]], w.tokens[w.selection[1]]) == ("unwanted", "cats")
    w.hide_special = True
    assert (w.tokens[w.selection[0]], w.tokens[w.selection[1]]) == ("unwanted", "cats")
    w.merge = "tokens"
    assert (w.tokens[w.selection[0]], w.tokens[w.selection[1]]) == ("un", "cat")
    w.hide_special = False
    assert w.selection == (2, 5)


def test_a_mark_on_a_token_that_is_hidden_ends():
    w, _ = bert(word_piece(), "the unwanted cats")
    w.selection = (2, 0)
    w.hide_special = True
    assert w.selection is None


def test_a_mask_of_other_rows_is_said():
    w, _ = bert(word_piece(), "the unwanted cats")
    w.toggle(1, 0)
    assert "mask of its own" not in w.notice
    w.merge = "words"
    assert "1 cell is masked in the map by tokens; each map has a mask of its own." in w.notice
    w.mask = np.eye(5, dtype=bool)
    w.merge = "tokens"
    assert "5 cells are masked in the map by words; each map has a mask of its own." in w.notice
    w.stack = "rollout"
    assert "mask of its own" not in w.notice
