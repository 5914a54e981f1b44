"""Tokenizers that split words, widgets of small models with them, and words of a map by loops."""

from __future__ import annotations

import copy

import numpy as np
import torch
from models import POSITIONS, build
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedTokenizerFast

from attnwidget import AttentionWidget

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


def words_in(tokenizer, text):
    return len(tokenizer(text)["input_ids"])
