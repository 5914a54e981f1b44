"""The generated text: its pieces, the probability of each token, its state, and its stops."""

from __future__ import annotations

import copy
import importlib.util
import sys
import threading
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import traitlets
import transformers as tf
from architectures import ARCHITECTURES
from architectures_eager import eager_copy
from ipywidgets.comm import get_comm_manager
from models import FAMILIES, POSITIONS, VOCABULARY, build, settle, tokenizer
from transformers import PreTrainedModel
from word_tokenizers import byte_level, word_piece

from attnwidget import AttentionWidget
from attnwidget.capture.generate import capture_generation
from attnwidget.capture.pieces import Pieces
from attnwidget.sources.generation import Generation
from attnwidget.widget import stopping

SIX = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
PROMPT = {"input_ids": torch.tensor([[5, 11, 3, 9, 2]]), "attention_mask": torch.ones(1, 5).long()}
TEXT = "the cat sat"


class Kept(AttentionWidget):
    """A widget that a test can reach before `from_model` returns."""

    opened: ClassVar[list[Kept]] = []

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.opened.append(self)


def text_of(w: AttentionWidget) -> Generation:
    assert w.generation is not None
    return w.generation


def gpt2() -> PreTrainedModel:
    return FAMILIES["gpt2"]()


def bart() -> PreTrainedModel:
    torch.manual_seed(0)
    config = copy.deepcopy(ARCHITECTURES["bart"].make().config)
    return settle(tf.BartForConditionalGeneration(config))


# --- the probability of each token --------------------------------------------------------------


def probabilities(logits: torch.Tensor, chosen: torch.Tensor) -> np.ndarray:
    """The softmax of each row of logits (n, vocabulary) at the chosen token, by NumPy."""
    numbers = logits.double().numpy()
    shifted = np.exp(numbers - numbers.max(axis=-1, keepdims=True))
    return (shifted / shifted.sum(axis=-1, keepdims=True))[np.arange(len(chosen)), chosen]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_cache": False},
        {"do_sample": True, "temperature": 0.3, "top_k": 4},
        {"repetition_penalty": 3.0},
        {"prefill_chunk_size": 2},
    ],
    ids=["greedy", "without-cache", "sampled", "penalty", "chunks"],
)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_probabilities_are_the_softmax_of_one_eager_pass(name: str, options: Any) -> None:
    model = FAMILIES[name]()
    ids = []
    options = {**SIX, **options, "stopping_criteria": lambda now, _: ids.append(now) or False}
    torch.manual_seed(3)
    source = capture_generation(model, None, None, options, lambda _: None, inputs=PROMPT)
    whole = ids[-1]
    with torch.no_grad():
        logits = eager_copy(model)(input_ids=whole[:, :-1]).logits[0, 4:]
    assert source.generation is not None
    got = source.generation.probabilities
    assert len(got) == 6
    np.testing.assert_allclose(got, probabilities(logits, whole[0, 5:]), rtol=2e-4)


def test_probabilities_of_a_decoder_and_of_a_row_of_a_batch() -> None:
    model = bart()
    inputs = {"input_ids": torch.tensor([[5, 11, 3, 9], [7, 4, 8, 6]])}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    whole = model.generate(**inputs, **SIX)
    with torch.no_grad():
        logits = eager_copy(model)(**inputs, decoder_input_ids=whole[:, :-1]).logits[1]
    w = AttentionWidget.from_model(model, inputs=inputs, batch_index=1, generate=SIX)
    wanted = probabilities(logits, whole[1, 1:])
    np.testing.assert_allclose(text_of(w).probabilities, wanted, rtol=2e-4)


def test_a_text_of_a_batch_ends_with_its_end_token() -> None:
    """The other text goes on, and the padding behind the first text is no generated token."""
    model = gpt2()
    inputs = {"input_ids": torch.tensor([[5, 11, 3, 9], [7, 4, 8, 6]])}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    whole = model.generate(**inputs, **SIX)
    first, second = (row[4:].tolist() for row in whole)
    row, end = next(
        (row, token)
        for row, (mine, other) in enumerate([(first, second), (second, first)])
        for token in mine[:-2]
        if token not in other
    )
    options = {"do_sample": False, "max_new_tokens": 6, "eos_token_id": end, "pad_token_id": 0}
    w = AttentionWidget.from_model(model, inputs=inputs, batch_index=row, generate=options)
    assert len(text_of(w).tokens) == [first, second][row].index(end) + 1
    assert text_of(w).state == "done"


# --- the text ------------------------------------------------------------------------------------

TEXTS = [
    "the cat sat on the mat",
    "naïve café 日本語 🙂🙂 the",
    "a\nb\r\n\n  c\t d",
    "a שלום the عربي cat",
    "<img src=x onerror=alert(1)> the",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("start", [0, 1])
def test_pieces_join_to_the_text(text: str, start: int) -> None:
    words = byte_level()
    ids = words(text)["input_ids"]
    pieces = Pieces(words, ids[:start])
    parts = [pieces.add(i, "label") for i in ids[start:]]
    assert words.decode(ids[:start]) + "".join(parts) == text
    assert len(parts) == len(ids) - start


def test_a_token_inside_a_character_is_empty() -> None:
    words = byte_level()
    ids = words("🙂")["input_ids"]
    assert len(ids) == 4  # its bytes
    pieces = Pieces(words, [])
    assert [pieces.add(i, "label") for i in ids] == ["", "", "", "🙂"]


def test_pieces_without_text_are_labels() -> None:
    words = tokenizer()
    pieces = Pieces(words, [2, 3])
    assert pieces.prompt() == "the cat"
    assert pieces.add(4, "sat") == " sat"
    assert pieces.add(VOCABULARY + 100, "id 140") == " id 140"
    assert pieces.add(5, "on") == "on"
    assert Pieces(None, [1]).add(7, "7") == " 7"


def test_special_tokens_are_left_out_of_the_prompt_alone() -> None:
    words = word_piece()
    ids = words("the cats")["input_ids"]
    pieces = Pieces(words, ids)
    assert pieces.prompt() == "the cats"
    parts = [pieces.add(i, "") for i in words.convert_tokens_to_ids(["run", "##ning", "[SEP]"])]
    assert parts == [" run", "ning", " [SEP]"]


def test_the_widget_has_the_text() -> None:
    model, words = gpt2(), tokenizer()
    words.add_tokens([f"extra{i}" for i in range(VOCABULARY - len(words))])
    ids = model.generate(**words(TEXT, return_tensors="pt"), **SIX)[0]
    text = text_of(AttentionWidget.from_model(model, words, TEXT, generate=SIX))
    assert text.prompt == TEXT
    assert text.prompt + "".join(text.tokens) == words.decode(ids)
    assert len(text.tokens) == 6
    assert text.first == (3, 3)


def test_other_widgets_have_no_generated_text() -> None:
    assert AttentionWidget(TEXT).generation is None
    assert AttentionWidget.from_model(gpt2(), tokenizer(), TEXT).generation is None
    w = AttentionWidget.from_model(gpt2(), tokenizer(), TEXT, generate=SIX)
    before = w.generation
    with pytest.raises(traitlets.TraitError, match="generation"):
        w.generation = None
    assert w.generation is before


# --- where the generated tokens are in a map ------------------------------------------------------


def test_the_rows_of_a_decoder_are_generated_and_not_the_keys_of_cross_attention() -> None:
    inputs = {"input_ids": torch.tensor([[5, 11, 3, 9]])}
    w = AttentionWidget.from_model(bart(), inputs=inputs, generate=SIX, stack="decoder")
    assert w.attention.shape == (6, 6)
    assert text_of(w).first == (1, 1)  # after the start token
    w.stack = "cross"
    assert text_of(w).first == (1, None)
    w.stack = "encoder"
    assert text_of(w).first == (None, None)


def test_embeddings_of_the_prompt_have_rows() -> None:
    inputs = {"inputs_embeds": torch.zeros(1, 4, 32)}
    w = AttentionWidget.from_model(gpt2(), inputs=inputs, generate=SIX)
    assert text_of(w).first == (4, 4)
    assert text_of(w).prompt == ""


def test_words_and_hidden_tokens_move_the_first_generated_token() -> None:
    words = word_piece()
    model = build(
        tf.BertLMHeadModel, tf.BertConfig, vocab_size=len(words), hidden_size=16,
        num_attention_heads=2, num_hidden_layers=2, intermediate_size=8, is_decoder=True,
        max_position_embeddings=POSITIONS,
    )  # fmt: skip
    w = AttentionWidget.from_model(model, words, "the running cats", generate=SIX)
    assert w.tokens[:7] == ("[CLS]", "the", "run", "##ning", "cat", "##s", "[SEP]")
    assert text_of(w).first == (7, 7)
    w.merge = "words"
    assert w.tokens[:5] == ("[CLS]", "the", "running", "cats", "[SEP]")
    assert text_of(w).first == (5, 5)
    w.hide_special = True
    assert w.tokens[:3] == ("the", "running", "cats")
    assert text_of(w).first == (3, 3)


# --- states, and the ways to stop -----------------------------------------------------------------


def during(step: int, act: Any) -> dict[str, Any]:
    """Options of `generate` that call `act` in another thread at a step, and wait for its end."""
    calls = []

    def criterion(_ids: torch.Tensor, _scores: Any) -> bool:
        calls.append(None)
        if len(calls) == step:
            thread = threading.Thread(target=act)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()
        return False

    return {**SIX, "stopping_criteria": criterion}


def test_stop_in_another_thread_keeps_the_rows() -> None:
    Kept.opened.clear()
    seen: list[Any] = []

    def stop() -> None:
        w = Kept.opened[0]
        seen.extend([text_of(w).state, w.stop()])

    w = Kept.from_model(gpt2(), tokenizer(), TEXT, generate=during(3, stop))
    assert seen == ["running", True]
    assert (text_of(w).state, len(text_of(w).tokens), w.attention.shape) == ("stopped", 3, (5, 5))
    assert w is Kept.opened[0]
    assert w.stop() is False
    whole = AttentionWidget.from_model(gpt2(), tokenizer(), TEXT, generate=SIX)
    np.testing.assert_allclose(w.attention, whole.attention[:5, :5], atol=1e-6)
    assert (text_of(whole).state, len(text_of(whole).tokens)) == ("done", 6)


def open_comm(target: str, data: dict[str, str]) -> None:
    """What a kernel does with the message of a page that opens a comm."""
    content = {"comm_id": "of-a-page", "target_name": target, "data": data}
    get_comm_manager().comm_open(None, None, {"content": content})


@pytest.mark.parametrize(("other", "steps"), [("", 2), ("x", 6)])
def test_a_page_stops_the_generation_that_it_names(other: str, steps: int) -> None:
    Kept.opened.clear()

    def stop() -> None:
        key = Kept.opened[0].get_state("generation")["generation"]["key"]
        open_comm("attnwidget.stop", {"key": key + other})

    w = Kept.from_model(gpt2(), tokenizer(), TEXT, generate=during(2, stop))
    assert len(text_of(w).tokens) == steps
    assert text_of(w).state == ("done" if other else "stopped")
    assert w.get_state("generation")["generation"]["key"] == ""
    open_comm("attnwidget.stop", {"key": text_of(w).key})  # late: nothing runs
    assert w.attention.shape == (steps + 2, steps + 2)


def test_with_ipywidgets_7_the_kernel_names_the_manager_of_comms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = SimpleNamespace(targets={})
    manager.register_target = manager.targets.__setitem__
    shell = SimpleNamespace(kernel=SimpleNamespace(comm_manager=manager))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    # Colab's ipywidgets has no such module.
    monkeypatch.setitem(sys.modules, "ipywidgets.comm", None)
    spec = importlib.util.spec_from_file_location("stopping_of_7", stopping.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stop = threading.Event()
    with module.stoppable(stop) as key:
        message = {"content": {"data": {"key": key}}}
        manager.targets["attnwidget.stop"](None, message)
    assert stop.is_set()


def test_an_error_is_raised_and_stated() -> None:
    Kept.opened.clear()

    def broken(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if ids.shape[1] == 5:
            raise ZeroDivisionError("mine")
        return scores

    options = {**SIX, "logits_processor": [broken]}
    with pytest.raises(ZeroDivisionError, match="mine"):
        Kept.from_model(gpt2(), tokenizer(), TEXT, generate=options)
    w = Kept.opened[0]
    assert text_of(w).state == "failed"
    assert w.stop() is False


def test_a_mask_that_is_undone_leaves_the_state() -> None:
    Kept.opened.clear()
    w = Kept.from_model(
        gpt2(), tokenizer(), TEXT, generate=during(2, lambda: Kept.opened[0].toggle(1, 0))
    )
    w.undo()
    assert text_of(w).state == "done"
    assert len(text_of(w).tokens) == 6


def test_lines_come_with_each_token_because_a_running_cell_answers_no_question() -> None:
    Kept.opened.clear()
    shapes = []

    def look() -> None:
        w = Kept.opened[0]
        early = w.get_state("_early_answer")["_early_answer"]
        shapes.append((early["answer"]["shape"][1], len(w.tokens)))

    w = Kept.from_model(gpt2(), tokenizer(), TEXT, generate=during(3, look), layer=1, view="lines")
    assert shapes[0][0] == shapes[0][1] >= 3
    assert w.get_state("_early_answer")["_early_answer"] is None


def test_an_option_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="max_new_tokens"):
        AttentionWidget.from_model(gpt2(), tokenizer(), TEXT, generate={"max_new_tokens": 0})
