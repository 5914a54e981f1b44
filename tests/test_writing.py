"""A model that writes: each row is the attention that its own eager `generate` returns."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from architectures import ARCHITECTURES
from architectures_eager import eager_copy
from models import FAMILIES, VOCABULARY, settle, tokenizer
from recording import RecordingComm
from transformers import PreTrainedModel

from attnwidget import AttentionWidget
from attnwidget.capture.generate import capture_generation
from attnwidget.capture.source import ModelSource
from attnwidget.session.session import Session
from attnwidget.widget.live import Growing

OPTIONS = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
PROMPT = {"input_ids": torch.tensor([[5, 11, 3, 9, 2]]), "attention_mask": torch.ones(1, 5).long()}
SINGLE = ["gpt2", "llama", "mistral", "gemma3", "gemma2", "gpt-oss", "jamba", "gpt-j", "bloom"]
WRITERS = {
    "bart": tf.BartForConditionalGeneration,
    "marian": tf.MarianMTModel,
    "whisper": tf.WhisperForConditionalGeneration,
}


def steps(source: ModelSource, stack: str, layer: int, wanted: list[np.ndarray]) -> None:
    """Every step's weights (h, n_q, n_k) are the source's next rows, and nothing is beside them."""
    got, at = source.of(stack).weights(layer), 0
    for rows in wanted:
        n_q, n_k = rows.shape[1:]
        np.testing.assert_allclose(got[:, at : at + n_q, :n_k], rows, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(got[:, at : at + n_q, n_k:], 0)
        at += n_q
    assert at == got.shape[1]


def written(name: str, inputs: dict[str, torch.Tensor]) -> tuple[ModelSource, list[int], Any]:
    """Our source, its growth, and what eager `generate` returns."""
    model = ARCHITECTURES[name].make()
    seen: list[int] = []
    source = capture_generation(
        model, None, None, OPTIONS, lambda now: seen.append(len(now.tokens)), inputs=inputs
    )
    other = eager_copy(model)
    said = other.generate(**inputs, **OPTIONS, return_dict_in_generate=True, output_attentions=True)
    return source, seen, said


@pytest.mark.parametrize("name", SINGLE)
def test_rows_are_those_of_each_step(name: str) -> None:
    source, seen, said = written(name, PROMPT)
    assert seen == [5, 6, 7, 8, 9, 10]
    for number, layer in enumerate(source.layers):
        found = [[a for a in step if a is not None][number] for step in said.attentions]
        window = [one[0].float().numpy() for one in found]
        # Where a cache of a sliding window has dropped keys, eager's rows start later.
        rows = []
        total = 0
        for one in window:
            total += one.shape[1]
            gone = total - one.shape[2]
            rows.append(np.concatenate([np.zeros((*one.shape[:2], gone), one.dtype), one], 2))
        steps(source, "self", layer.index, rows)


@pytest.mark.parametrize("name", WRITERS)
def test_a_decoder_grows_on_both_sides(name: str) -> None:
    one = ARCHITECTURES[name]
    torch.manual_seed(0)
    model = settle(WRITERS[name](copy.deepcopy(one.make().config)))
    model.generation_config.suppress_tokens = None
    model.generation_config.begin_suppress_tokens = None
    inputs = {k: v for k, v in one.inputs().items() if not k.startswith("decoder")}
    source = capture_generation(model, None, None, OPTIONS, lambda now: None, inputs=inputs)
    other = copy.deepcopy(model)
    other.set_attn_implementation("eager")
    said = other.generate(**inputs, **OPTIONS, return_dict_in_generate=True, output_attentions=True)
    for stack, attentions in (
        ("decoder", said.decoder_attentions),
        ("cross", said.cross_attentions),
    ):
        for layer in range(len(attentions[0])):
            steps(source, stack, layer, [step[layer][0].numpy() for step in attentions])
    assert len(source.of("cross").tokens) == 6
    assert source.of("cross").key_tokens == source.of("encoder").tokens


def test_without_a_cache_the_rows_are_the_same() -> None:
    model = ARCHITECTURES["llama"].make()
    cached = capture_generation(model, None, None, OPTIONS, lambda now: None, inputs=PROMPT)
    plain = {**OPTIONS, "use_cache": False}
    again = capture_generation(model, None, None, plain, lambda now: None, inputs=PROMPT)
    for layer in cached.layers:
        np.testing.assert_allclose(
            again.weights(layer.index), cached.weights(layer.index), rtol=0, atol=1e-6
        )


def test_the_widget_grows_and_says_what_was_written() -> None:
    model, words = FAMILIES["gpt2"](), tokenizer()
    words.add_tokens([f"extra{i}" for i in range(VOCABULARY - len(words))])
    prompt = words("the cat sat", return_tensors="pt")
    said = model.generate(**prompt, **OPTIONS)[0]
    w = AttentionWidget.from_model(model, words, "the cat sat", generate=OPTIONS)
    assert list(w.tokens) == words.convert_ids_to_tokens(said[:-1])
    assert w.attention.shape == (8, 8)
    assert w.generation is not None
    assert "".join(w.generation.tokens).split() == words.convert_ids_to_tokens(said[3:])
    assert w.mask[np.triu_indices(8, 1)].all()


def test_an_interrupt_ends_the_writing_and_keeps_the_rows() -> None:
    model = FAMILIES["gpt2"]()
    implementation = model.config._attn_implementation
    calls = 0

    def stop(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    hook = model.register_forward_hook(stop)
    w = AttentionWidget.from_model(model, tokenizer(), "the cat sat", generate=OPTIONS)
    hook.remove()
    assert w.attention.shape == (5, 5)  # three forwards: the prompt, and two tokens read
    assert model.config._attn_implementation == implementation
    assert w.generation is not None
    assert (w.generation.state, len(w.generation.tokens)) == ("stopped", 3)


@pytest.mark.parametrize("name", ["tokens", "K", "mask", "attention"])
def test_an_interrupt_while_a_step_is_drawn_leaves_the_page_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnwidget.widget.live._PAUSE", 0)
    comm, page, stops = RecordingComm(), {}, []

    def stop(event: Any) -> None:
        stops.append(len(event["new"]))
        if len(stops) == 2:
            raise KeyboardInterrupt

    def make(source: Any, text: Any) -> AttentionWidget:
        w = AttentionWidget(Session(source, generated=text))
        page.update(w.get_state())
        w.comm = comm
        w.observe(stop, name)
        return w

    growing = Growing(make, None)
    run = partial(capture_generation, FAMILIES["gpt2"](), None, None, OPTIONS, inputs=PROMPT)
    w = growing.run(run)
    for state in comm.states():
        page.update(state)
    assert stops[:2] == [6, 7]  # tokens, or rows of them
    assert len(w.tokens) == 7
    wanted = w.get_state()
    for trait in ("tokens", "Q", "K", "V", "scores", "mask", "locked", "attention", "output"):
        assert on_page(page[trait]) == on_page(wanted[trait]), trait


def on_page(value: Any) -> Any:
    """A value as the page has it, whether it came as a whole or as bytes."""
    return (value["shape"], bytes(value["data"])) if isinstance(value, dict) else value


def test_an_error_while_writing_leaves_the_model() -> None:
    model = FAMILIES["gpt2"]()
    before = model.config._attn_implementation, [sorted(vars(m)) for m in model.modules()]
    with pytest.raises((TypeError, ValueError), match="no_such_option"):
        AttentionWidget.from_model(model, tokenizer(), "a", generate={"no_such_option": 1})
    assert before == (
        model.config._attn_implementation,
        [sorted(vars(m)) for m in model.modules()],
    )


@pytest.mark.parametrize(
    ("name", "options", "error", "wanted"),
    [
        ("gpt2", 20, TypeError, "generate: got int, want options of model.generate"),
        ("gpt2", {"num_beams": 3}, ValueError, "generate: num_beams is 3, want 1: beams change"),
        ("gpt2", {"num_return_sequences": 2}, ValueError, "num_return_sequences is 2, want 1"),
        ("gpt2", {"cache_implementation": "static"}, ValueError, "cache_implementation is 'sta"),
        ("bert", {}, ValueError, "generate: BertModel can't generate text"),
    ],
)
def test_what_cannot_be_written_is_named(
    name: str, options: Any, error: type[Exception], wanted: str
) -> None:
    with pytest.raises(error, match=wanted):
        AttentionWidget.from_model(FAMILIES[name](), tokenizer(), "the cat", generate=options)


def test_a_batch_writes_the_row_that_is_asked_for() -> None:
    model: PreTrainedModel = ARCHITECTURES["llama"].make()
    ids = torch.tensor([[5, 11, 3, 9, 2], [0, 0, 7, 4, 6]])
    both = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    source = capture_generation(
        model, None, None, OPTIONS, lambda now: None, inputs=both, batch_index=1
    )
    alone = {"input_ids": ids[1:, 2:], "attention_mask": torch.ones(1, 3).long()}
    wanted = capture_generation(model, None, None, OPTIONS, lambda now: None, inputs=alone)
    for layer in source.layers:
        np.testing.assert_allclose(
            source.weights(layer.index)[:, 2:, 2:], wanted.weights(layer.index), rtol=0, atol=2e-6
        )


def test_all_that_was_written_after_embeddings_is_said() -> None:
    """Without ids of the prompt, positions name the tokens: three of them were written."""
    inputs = {"inputs_embeds": torch.zeros(1, 4, 32)}
    options = {"max_new_tokens": 3, "min_new_tokens": 3}
    w = AttentionWidget.from_model(FAMILIES["gpt2"](), inputs=inputs, generate=options)
    assert w.generation is not None
    assert w.generation.tokens == (" 0", " 1", " 2")
    assert w.attention.shape == (6, 6)
