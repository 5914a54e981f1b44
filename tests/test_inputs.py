"""What people hand to a model: texts, options of a tokenizer, arrays, lists, ids, chats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from models import FAMILIES, WORDS, tokenizer
from tokenizers.processors import TemplateProcessing

from attnwidget import AttentionWidget

IDS = [5, 11, 3, 9, 2]
SEEN = [1, 1, 1, 1, 0]


def of_tensors(name: str, **inputs: torch.Tensor) -> list[np.ndarray]:
    """What the model computes of tensors, layer by layer."""
    w = AttentionWidget.from_model(FAMILIES[name](), inputs=inputs)
    return [w.weights(layer.index) for layer in w.layers]


def assert_reads(w: AttentionWidget, wanted: list[np.ndarray]) -> None:
    for layer, weights in zip(w.layers, wanted, strict=True):
        np.testing.assert_array_equal(w.weights(layer.index), weights)


# --- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: rows,
        np.array,
        lambda rows: np.array(rows, np.int16),
        torch.tensor,
        lambda rows: torch.tensor(rows, dtype=torch.int16),
    ],
    ids=["lists", "numpy", "numpy int16", "tensors", "tensors int16"],
)
@pytest.mark.parametrize("rows", [IDS, [IDS]], ids=["one text", "a batch"])
def test_ids_and_mask_of_any_kind_are_read(rows: Any, make: Any) -> None:
    seen = SEEN if rows is IDS else [SEEN]
    w = AttentionWidget.from_model(
        FAMILIES["bert"](), inputs={"input_ids": make(rows), "attention_mask": make(seen)}
    )
    ids, mask = torch.tensor([IDS]), torch.tensor([SEEN])
    assert_reads(w, of_tensors("bert", input_ids=ids, attention_mask=mask))
    assert w.locked[:, 4].all()


@pytest.mark.parametrize("ids", [torch.tensor([IDS]), torch.tensor(IDS), np.array(IDS), IDS, [IDS]])
def test_ids_alone_are_the_input_of_a_model_that_reads_ids(ids: Any) -> None:
    """A chat template gives them so under return_dict=False."""
    w = AttentionWidget.from_model(FAMILIES["gpt2"](), tokenizer(), inputs=ids)
    assert_reads(w, of_tensors("gpt2", input_ids=torch.tensor([IDS])))
    assert w.tokens == tuple(tokenizer().convert_ids_to_tokens(IDS))


def test_what_a_tokenizer_returns_without_tensors_is_read() -> None:
    model, words = FAMILIES["bert"](), tokenizer()
    w = AttentionWidget.from_model(model, words, inputs=words("the cat sat"))
    tensors = words("the cat sat", return_tensors="pt")
    assert_reads(w, of_tensors("bert", **tensors))
    assert w.tokens == ("the", "cat", "sat")


def test_ids_alone_are_refused_where_a_model_reads_pixels() -> None:
    with pytest.raises(TypeError, match=r"inputs: got Tensor, want .*\{\"pixel_values\": \.\.\.\}"):
        AttentionWidget.from_model(ARCHITECTURES["vit"].make(), inputs=torch.tensor([IDS]))


@pytest.mark.parametrize("make", [lambda t: t.numpy(), lambda t: t.tolist(), list])
def test_pixels_as_arrays_and_lists_are_read(make: Any) -> None:
    one = ARCHITECTURES["vit"]
    model, pixels = one.make(), one.inputs()["pixel_values"]
    w = AttentionWidget.from_model(model, inputs={"pixel_values": make(pixels)})
    wanted = AttentionWidget.from_model(model, inputs={"pixel_values": pixels})
    for layer in w.layers:
        np.testing.assert_array_equal(w.weights(layer.index), wanted.weights(layer.index))


def test_arrays_take_the_type_of_the_model() -> None:
    one = ARCHITECTURES["vit"]
    model, pixels = one.make().to(torch.bfloat16), one.inputs()["pixel_values"]
    w = AttentionWidget.from_model(model, inputs={"pixel_values": pixels.numpy()})
    wanted = AttentionWidget.from_model(model, inputs={"pixel_values": pixels.to(torch.bfloat16)})
    np.testing.assert_array_equal(w.attention, wanted.attention)


# --- chats -------------------------------------------------------------------------------------

CHAT = [{"role": "user", "content": "the cat"}, {"role": "assistant", "content": "sat"}]


@pytest.mark.parametrize("messages", [CHAT, tuple(CHAT), CHAT[0]], ids=["list", "tuple", "one"])
@pytest.mark.parametrize("where", ["text", "inputs"])
def test_chat_messages_are_refused_with_the_line_to_write(where: str, messages: Any) -> None:
    line = r'apply_chat_template\(messages, return_dict=True, return_tensors="pt"\)'
    with pytest.raises(TypeError, match=f"{where}: got chat messages, want .*inputs=.*{line}"):
        AttentionWidget.from_model(FAMILIES["gpt2"](), tokenizer(), **{where: messages})


@pytest.mark.parametrize("options", [{"return_tensors": "pt"}, {}])
@pytest.mark.parametrize("return_dict", [True, False])
def test_what_a_chat_template_gives_is_read(return_dict: bool, options: Any) -> None:
    words = tokenizer()
    words.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    made = words.apply_chat_template(CHAT, return_dict=return_dict, **options)
    w = AttentionWidget.from_model(FAMILIES["gpt2"](), words, inputs=made)
    assert w.tokens == ("the", "cat", "sat")


# --- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [["the cat", "a dog"], ["the cat"], [], ("a", "dog", "sat"), ("a",)], ids=repr
)
def test_only_a_tuple_of_two_is_a_pair(text: Any) -> None:
    kind = type(text).__name__
    with pytest.raises(TypeError, match=f"text: got {kind}, want .* tuple of two.*batch_index="):
        AttentionWidget.from_model(FAMILIES["bert"](), tokenizer(), text)


@pytest.mark.parametrize("options", [{"return_tensors": "pt"}, {}])
def test_what_a_tokenizer_made_is_no_text(options: Any) -> None:
    words = tokenizer()
    with pytest.raises(TypeError, match=r"text: got BatchEncoding, want a str .* inputs="):
        AttentionWidget.from_model(FAMILIES["bert"](), words, words("the cat", **options))


def test_a_name_is_no_tokenizer() -> None:
    wanted = r"tokenizer: got str, want .*AutoTokenizer\.from_pretrained.*text="
    with pytest.raises(TypeError, match=wanted):
        AttentionWidget.from_model(FAMILIES["bert"](), "the cat sat")


# --- tokenize= ---------------------------------------------------------------------------------


def with_ends() -> Any:
    """The tokenizer, with a special token at the end of each text."""
    words = tokenizer()
    words._tokenizer.post_processor = TemplateProcessing(
        single="$A [UNK]", pair="$A [UNK] $B [UNK]", special_tokens=[("[UNK]", 1)]
    )
    return words


FIVE, PAIR = " ".join(WORDS[:5]), ("the cat sat on a mat", "it slept there")


@pytest.mark.parametrize("text", [FIVE, PAIR], ids=["one text", "a pair"])
@pytest.mark.parametrize(
    "options",
    [
        {"truncation": True, "max_length": 3},
        {"max_length": 4},
        {"add_special_tokens": False},
        {"padding": "max_length", "max_length": 12},
        {"padding": "max_length", "max_length": 12, "padding_side": "left"},
        {"split_special_tokens": True},
        {},
    ],
    ids=repr,
)
def test_options_of_the_tokenizer_are_its_own(text: Any, options: dict[str, Any]) -> None:
    words = with_ends()
    w = AttentionWidget.from_model(FAMILIES["bert"](), words, text, tokenize=options)
    first, second = text if isinstance(text, tuple) else (text, None)
    wanted = words(first, second, return_tensors="pt", **options)
    assert list(w.tokens) == words.convert_ids_to_tokens(wanted["input_ids"][0])
    assert_reads(w, of_tensors("bert", **wanted))


def test_the_second_of_a_pair_is_cut() -> None:
    options = {"truncation": "only_second", "max_length": 9}
    test_options_of_the_tokenizer_are_its_own(PAIR, options)


def test_a_text_is_cut_to_the_model_s_positions() -> None:
    """Without the option, a text of 40 tokens is refused."""
    w = AttentionWidget.from_model(
        FAMILIES["gpt2"](), tokenizer(), "cat " * 40, tokenize={"truncation": True}
    )
    assert len(w.tokens) == 32


def test_a_padded_source_leaves_its_target_alone() -> None:
    options = {"padding": "max_length", "max_length": 9}
    model = ARCHITECTURES["t5"].make()
    w = AttentionWidget.from_model(
        model, tokenizer(), ("the cat sat", "a dog"), tokenize=options, stack="cross"
    )
    assert w.attention.shape == (3, 9)
    assert w.locked[:, 3:].all()
    assert not w.locked[:, :3].any()


@pytest.mark.parametrize(
    ("options", "error", "wanted"),
    [
        ({"return_tensors": "pt"}, ValueError, "tokenize: got 'return_tensors', which has no"),
        ({"is_split_into_words": True}, ValueError, "tokenize: got 'is_split_into_words', which"),
        ({"return_overflowing_tokens": True}, ValueError, "one text is shown, not the pieces"),
        ({"text_pair": "a"}, ValueError, "tokenize: got 'text_pair', which .* as a tuple"),
        ({"max_lenght": 3}, ValueError, "tokenize: got 'max_lenght', .*did you mean 'max_length'"),
        ({"self": 3}, ValueError, "tokenize: got 'self', want an option of "),
        (128, TypeError, "tokenize: got int, want options of the tokenizer as a mapping"),
    ],
)
def test_options_that_cannot_be_are_named(
    options: Any, error: type[Exception], wanted: str
) -> None:
    with pytest.raises(error, match=wanted):
        AttentionWidget.from_model(FAMILIES["bert"](), tokenizer(), "the cat", tokenize=options)


@pytest.mark.parametrize(
    "options", [{"truncation": "no_such"}, {"truncation": "only_second", "max_length": 2}]
)
def test_what_the_tokenizer_refuses_is_named(options: Any) -> None:
    wanted = f"text: the tokenizer can't read it under .*{options['truncation']}"
    with pytest.raises(ValueError, match=wanted):
        AttentionWidget.from_model(
            FAMILIES["bert"](), tokenizer(), ("the cat sat", "a dog"), tokenize=options
        )


def test_inputs_have_gone_through_a_tokenizer() -> None:
    with pytest.raises(TypeError, match="tokenize: inputs= have gone through a tokenizer"):
        AttentionWidget.from_model(FAMILIES["bert"](), inputs={"input_ids": [IDS]}, tokenize={})


def test_options_reach_a_model_that_writes() -> None:
    w = AttentionWidget.from_model(
        FAMILIES["gpt2"](), tokenizer(), "the cat sat on a mat",
        tokenize={"truncation": True, "max_length": 3},
        generate={"max_new_tokens": 3, "min_new_tokens": 3},
    )  # fmt: skip
    assert w.tokens[:3] == ("the", "cat", "sat")
    assert len(w.tokens) == 5
