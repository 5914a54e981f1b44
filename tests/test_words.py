"""Sub-tokens put together to words, special tokens left out: maps by hand, tokenizers for real."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from models import FAMILIES, POSITIONS, build
from models import tokenizer as word_level
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedTokenizerFast

from attnwidget import AttentionWidget
from attnwidget.maths.grouping import merge, word_groups, word_label

CORPUS = ["the cat sat on the mat", "the dog sat on the rug", "naïve café", "日本語"] * 8
PIECES = ["un", "##want", "##ed", "run", "##ning", "cat", "the", "na", "##ïve", "##s"]


def byte_level():
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")


def word_piece():
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *PIECES])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    named = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **named)


def bert(tokenizer, text, **shown):
    """A widget, and the eager weights of its model, (h, n, n) of each layer."""
    model = build(
        BertModel, BertConfig, vocab_size=len(tokenizer), hidden_size=16, num_attention_heads=2,
        num_hidden_layers=2, intermediate_size=8, max_position_embeddings=POSITIONS,
    )  # fmt: skip
    inputs = tokenizer(*(text if isinstance(text, tuple) else (text,)), return_tensors="pt")
    other = copy.deepcopy(model)
    other.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = other(**inputs, output_attentions=True).attentions
    eager = [layer[0].double().numpy() for layer in attentions]
    return AttentionWidget.from_model(model, tokenizer, text, **shown), eager


def gpt2(tokenizer, text):
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=len(tokenizer), n_layer=1, n_head=2, n_embd=8, n_positions=64)
    return AttentionWidget.from_model(GPT2Model(config).eval(), tokenizer, text)


def by_loops(map_, rows, columns):
    return [[np.mean([sum(map_[i][j] for j in c) for i in r]) for c in columns] for r in rows]


# --- the arithmetic ----------------------------------------------------------------------------


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


# --- which tokens are one word -----------------------------------------------------------------


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


# --- models ------------------------------------------------------------------------------------


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
    w.kind = "mean over heads"
    assert (w.merge, w.hide_special) == ("words", True)
    np.testing.assert_allclose(w.attention, by_loops(eager[0].mean(0), groups, groups), atol=1e-6)
    w.kind, w.hide_special = "self", False
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
    assert w.undo()
    assert w.undo()
    assert w.merge == "tokens"
    assert not w.mask.any()


def test_both_sides_of_cross_attention_are_merged():
    words, model = byte_level(), ARCHITECTURES["t5"].make()
    model.resize_token_embeddings(len(words))
    w = AttentionWidget.from_model(model, words, ("the sat cafés", "naïve zebra"), kind="cross")
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


def words_in(tokenizer, text):
    return len(tokenizer(text)["input_ids"])


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "error", "why"),
    [
        ("merge", "word", ValueError, "merge: got 'word', want one of tokens, words"),
        ("merge", None, ValueError, "merge: got None, want one of tokens, words"),
        ("hide_special", 1, TypeError, "hide_special: got 1, want True or False"),
    ],
)
def test_what_is_no_choice_changes_nothing(name, value, error, why):
    w, _ = bert(word_piece(), "the cats")
    before = w.attention
    with pytest.raises(error, match=why):
        setattr(w, name, value)
    assert (w.merge, w.hide_special) == ("tokens", False)
    np.testing.assert_array_equal(w.attention, before)


def test_where_there_are_no_words_or_special_tokens():
    image = ARCHITECTURES["vit"]
    w = AttentionWidget.from_model(image.make(), inputs=image.inputs())
    assert w.merge is w.hide_special is None
    with pytest.raises(ValueError, match="merge: patches, frames and bare positions have no words"):
        w.merge = "words"
    w = AttentionWidget.from_model(FAMILIES["bert"](), word_level(), "the cat")
    assert (w.merge, w.hide_special, w.sentence_b_start) == ("tokens", None, None)
    with pytest.raises(ValueError, match="hide_special: none of these tokens is special"):
        w.hide_special = True


@pytest.mark.parametrize(("name", "value"), [("merge", "words"), ("hide_special", True)])
def test_other_sources_have_whole_words(name, value):
    for w in (AttentionWidget("a b c"), AttentionWidget.from_arrays(np.eye(2), ["a", "b"])):
        with pytest.raises(ValueError, match=f"{name}: "):
            setattr(w, name, value)
        assert getattr(w, name) is None


def test_a_word_that_is_not_known_is_a_word():
    w, eager = bert(word_piece(), "the zebra")
    assert list(w.tokens) == ["[CLS]", "the", "[UNK]", "[SEP]"]
    w.hide_special = True
    assert list(w.tokens) == ["the", "[UNK]"]
    np.testing.assert_allclose(w.attention, eager[0][0][1:3, 1:3], atol=1e-6)


def test_special_keys_are_hidden_where_no_query_is_special():
    model = ARCHITECTURES["t5"].make()
    read = {"input_ids": torch.tensor([[0, 2, 3]]), "decoder_input_ids": torch.tensor([[4, 5]])}
    w = AttentionWidget.from_model(model, word_level(), inputs=read, kind="cross")
    assert (list(w.key_tokens), w.hide_special) == (["[PAD]", "the", "cat"], False)
    whole = w.attention
    w.hide_special = True
    assert list(w.key_tokens) == ["the", "cat"]
    np.testing.assert_allclose(w.attention, whole[:, 1:], atol=1e-6)


def test_something_must_be_left():
    w, _ = bert(word_piece(), "")
    assert list(w.tokens) == ["[CLS]", "[SEP]"]
    with pytest.raises(ValueError, match="hide_special: got True, but every token is special"):
        w.hide_special = True
    assert list(w.tokens) == ["[CLS]", "[SEP]"]
    # Of cross-attention, keys are to be left too.
    w = AttentionWidget.from_model(
        ARCHITECTURES["t5"].make(), word_level(), ("[PAD]", "the cat"), kind="cross"
    )
    assert list(w.key_tokens) == ["[PAD]"]
    with pytest.raises(ValueError, match="hide_special: got True, but every token is special"):
        w.hide_special = True
    assert w.hide_special is False


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
    w.kind = "rollout"
    assert w.subtitle == "BertModel · 3 words · 2 layers × 1 head"


def test_words_of_a_page_have_a_mask_of_their_own():
    w, _ = bert(word_piece(), "the unwanted cats")
    w.toggle(1, 0)
    w.set_state({"merge": "words"})
    assert (w.error, w.merge) == ("", "words")
    assert not w.mask.any()
    w.set_state({"merge": "tokens"})
    assert np.argwhere(w.mask).tolist() == [[1, 0]]
