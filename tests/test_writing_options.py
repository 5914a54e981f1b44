"""Options of `generate`: harmless, or refused with the reason; and where writing has to stop."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from architectures import ARCHITECTURES
from models import FAMILIES, POSITIONS, build, settle, tokenizer
from transformers import DynamicCache, GenerationConfig, PreTrainedModel, StaticCache

from attnwidget import AttentionWidget
from attnwidget.capture.generate import capture_generation

TEXT = "the cat sat on a mat"
SIX = {"max_new_tokens": 6, "min_new_tokens": 6}


def open_writing(model: PreTrainedModel, **options: Any) -> AttentionWidget:
    return AttentionWidget.from_model(model, tokenizer(), TEXT, generate={**SIX, **options})


@contextmanager
def calls_of(model: PreTrainedModel) -> Iterator[list[None]]:
    """A list that grows with each pass of `model`."""
    calls: list[None] = []
    hook = model.register_forward_pre_hook(lambda *_: calls.append(None))
    try:
        yield calls
    finally:
        hook.remove()


def assert_eager(w: AttentionWidget, model: PreTrainedModel, ids: torch.Tensor) -> None:
    """Every layer of `w` is what eager attention gives when the whole text is read at once."""
    other = copy.deepcopy(model)
    other.set_attn_implementation("eager")
    with torch.no_grad():
        wanted = other(input_ids=ids, output_attentions=True).attentions
    for layer, weights in zip(w.layers, wanted, strict=True):
        np.testing.assert_allclose(w.weights(layer.index), weights[0], rtol=0, atol=2e-6)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"num_beams": 3}, "num_beams is 3, want 1: beams change places"),
        ({"num_return_sequences": 2}, "num_return_sequences is 2, want 1: one text is shown"),
        ({"guidance_scale": 1.5}, "guidance_scale is 1.5, want 1: each step mixes two passes"),
        ({"penalty_alpha": 0.6, "top_k": 4}, "penalty_alpha is 0.6, want None: contrastive"),
        ({"prompt_lookup_num_tokens": 3}, "prompt_lookup_num_tokens is 3, want None: several"),
        ({"assistant_early_exit": 1}, "assistant_early_exit is 1, want None: several tokens"),
        ({"dola_layers": "low"}, "dola_layers is 'low', want None: a token comes from the diff"),
        ({"custom_generate": "a/b"}, "custom_generate is 'a/b', want None: it is not known"),
        ({"token_healing": True}, "token_healing is True, want False: the end of the text"),
        ({"force_words_ids": [[3]]}, "force_words_ids is a list, want None: beams change"),
        (
            {"cache_implementation": "static"},
            "cache_implementation is 'static', want None: another",
        ),
        ({"cache_implementation": "quantized"}, "cache_implementation is 'quantized', want None"),
        (
            {"past_key_values": DynamicCache()},
            "past_key_values is a DynamicCache, want None: another",
        ),
        ({"input_ids": torch.ones(1, 2)}, "got 'input_ids', which is no option; want it in inp"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_would_shift_rows_is_refused(options: dict[str, Any], wanted: str) -> None:
    model = FAMILIES["gpt2"]()
    with calls_of(model) as calls, pytest.raises(ValueError, match=f"generate: {wanted}"):
        open_writing(model, **options)
    assert not calls


def test_another_model_that_writes_is_refused() -> None:
    model = FAMILIES["gpt2"]()
    wanted = "assistant_model is a GPT2LMHeadModel, want None: another model writes too"
    with pytest.raises(ValueError, match=wanted):
        open_writing(model, assistant_model=FAMILIES["gpt2"]())


def test_a_cache_of_a_fixed_size_is_refused_wherever_it_is() -> None:
    model = FAMILIES["gpt2"]()
    cache = StaticCache(model.config, max_cache_len=20)
    with pytest.raises(ValueError, match="past_key_values is a StaticCache, want None"):
        open_writing(model, past_key_values=cache)
    inputs = {"input_ids": torch.tensor([[5, 3]]), "past_key_values": cache}
    with pytest.raises(ValueError, match="past_key_values is a StaticCache, want None"):
        AttentionWidget.from_model(model, inputs=inputs, generate=SIX)


@pytest.mark.parametrize(
    ("name", "value"), [("num_beams", 3), ("guidance_scale", 2.0), ("num_return_sequences", 2)]
)
def test_a_configuration_is_looked_into(name: str, value: Any) -> None:
    model = FAMILIES["gpt2"]()
    config = GenerationConfig(**{name: value}, **SIX, do_sample=name == "num_return_sequences")
    given = {"generation_config": config}
    wanted = f"generate: {name} is {value} in generation_config, want 1"
    with calls_of(model) as calls, pytest.raises(ValueError, match=wanted):
        AttentionWidget.from_model(model, tokenizer(), TEXT, generate=given)
    setattr(model.generation_config, name, value)
    with pytest.raises(ValueError, match=f"{name} is {value} in model.generation_config, want 1"):
        open_writing(model)
    assert not calls
    # A keyword wins over both.
    w = AttentionWidget.from_model(model, tokenizer(), TEXT, generate={**given, name: 1})
    assert len(w.tokens) == 11


def test_a_configuration_wins_over_the_model_s_own() -> None:
    model = FAMILIES["gpt2"]()
    model.generation_config.num_beams = 3
    given = {"generation_config": GenerationConfig(num_beams=1, **SIX)}
    w = AttentionWidget.from_model(model, tokenizer(), TEXT, generate=given)
    assert len(w.tokens) == 11


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"generation_config": {"num_beams": 1}}, "generation_config is dict, want a Generation"),
        ({"stopping_criteria": 3}, r"stopping_criteria is int, want a function of \(input_ids"),
        ({"stopping_criteria": [3]}, "stopping_criteria is list, want a function of"),
    ],
)
def test_options_of_a_wrong_type_are_named(options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(TypeError, match=f"generate: {wanted}"):
        open_writing(FAMILIES["gpt2"](), **options)


# --- what changes nothing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 1, "num_return_sequences": 1, "guidance_scale": 1.0},
        {"return_dict_in_generate": True, "output_scores": True, "output_attentions": True},
        {"cache_implementation": "dynamic"},
        {"use_cache": False},
        {"prefill_chunk_size": 2},
        {"penalty_alpha": 0.0},
        {"past_key_values": None, "assistant_model": None, "stopping_criteria": None},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral"])
def test_rows_stay_those_of_one_pass(name: str, options: dict[str, Any]) -> None:
    model = FAMILIES[name]()
    prompt = tokenizer()(TEXT, return_tensors="pt")
    ids = model.generate(**prompt, **SIX)
    w = open_writing(model, **options)
    assert len(w.tokens) == 11
    assert_eager(w, model, ids[:, :-1])


def test_the_cache_that_published_gemmas_name_is_the_default_one() -> None:
    model = FAMILIES["gemma3"]()
    model.generation_config.cache_implementation = "hybrid"
    ids = model.generate(**tokenizer()(TEXT, return_tensors="pt"), **SIX)
    assert_eager(open_writing(model), model, ids[:, :-1])


class AtNine(tf.StoppingCriteria):
    def __call__(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.full((len(ids),), ids.shape[1] >= 9)


@pytest.mark.parametrize(
    "criteria",
    [
        lambda ids, _scores: ids.shape[1] >= 9,
        AtNine(),
        [AtNine()],
        tf.StoppingCriteriaList([AtNine()]),
    ],
    ids=["function", "criterion", "list", "StoppingCriteriaList"],
)
def test_a_condition_that_stops_the_writing(criteria: Any) -> None:
    w = open_writing(FAMILIES["gpt2"](), stopping_criteria=criteria)
    assert len(w.tokens) == 8
    assert w.generation is not None
    assert w.generation.state == "done"


# --- the end of the positions ------------------------------------------------------------------


def gpt_j() -> PreTrainedModel:
    return build(
        tf.GPTJForCausalLM, tf.GPTJConfig, n_embd=32, n_head=4, n_layer=2, n_positions=POSITIONS,
        rotary_dim=4, bos_token_id=1, eos_token_id=1,
    )  # fmt: skip


def ctrl() -> PreTrainedModel:
    return build(
        tf.CTRLLMHeadModel, tf.CTRLConfig, n_embd=32, n_head=4, n_layer=2, n_positions=POSITIONS,
        dff=24,
    )  # fmt: skip


def bart() -> PreTrainedModel:
    torch.manual_seed(0)
    config = copy.deepcopy(ARCHITECTURES["bart"].make().config)
    return settle(tf.BartForConditionalGeneration(config))


LONG = {"max_new_tokens": 80, "min_new_tokens": 80, "do_sample": False}
ENDING = {
    "gpt2": FAMILIES["gpt2"],
    "opt": FAMILIES["opt"],
    "bert-decoder": FAMILIES["bert-decoder"],
    "gpt-j": gpt_j,
    "ctrl": ctrl,
    "bart": bart,
}


@pytest.mark.parametrize("name", ENDING)
def test_rows_are_kept_where_the_positions_end(name: str) -> None:
    """As many rows as passes of the model by itself before it raises, from the prompt on."""
    model = ENDING[name]()
    prompt = {"input_ids": torch.tensor([[5, 11, 3]]), "attention_mask": torch.ones(1, 3).long()}
    with calls_of(model) as calls, pytest.raises((IndexError, RuntimeError), match="out of"):
        model.generate(**prompt, **LONG)
    passes = len(calls) - 1
    assert passes > 20
    implementation = model.config._attn_implementation
    hooks = [(len(m._forward_pre_hooks), len(m._forward_hooks)) for m in model.modules()]
    w = AttentionWidget.from_model(model, inputs=prompt, generate=LONG)
    asked = w if name != "bart" else AttentionWidget.from_model(
        model, inputs=prompt, generate=LONG, stack="decoder"
    )  # fmt: skip
    assert len(asked.tokens) == passes + (0 if name == "bart" else 2)
    positions = model.config.max_position_embeddings
    wanted = f"The generation ended after {passes} tokens, because {type(model).__name__} has "
    assert f"{wanted}{positions} positions." in w.notice
    assert w.generation is not None
    assert (w.generation.state, len(w.generation.tokens)) == ("full", passes)
    assert hooks == [(len(m._forward_pre_hooks), len(m._forward_hooks)) for m in model.modules()]
    assert model.config._attn_implementation == implementation


def test_the_rows_that_are_kept_are_eager_s() -> None:
    model = FAMILIES["gpt2"]()
    prompt = {"input_ids": torch.tensor([[5, 11, 3]]), "attention_mask": torch.ones(1, 3).long()}
    ids = model.generate(**prompt, max_new_tokens=29, min_new_tokens=29)
    w = AttentionWidget.from_model(model, inputs=prompt, generate=LONG)
    assert w.attention.shape == (POSITIONS, POSITIONS)
    assert_eager(w, model, ids)


def test_padding_takes_no_position() -> None:
    model = FAMILIES["gpt2"]()
    ids = torch.tensor([[0, 0, 5, 11, 3]])
    prompt = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    w = AttentionWidget.from_model(model, inputs=prompt, generate=LONG)
    assert w.attention.shape == (POSITIONS + 2, POSITIONS + 2)
    assert f"has {POSITIONS} positions" in w.notice


def test_an_end_that_was_asked_for_is_not_put_down_to_the_positions() -> None:
    """The last token written needs no position, because it is not read."""
    options = {"max_new_tokens": POSITIONS - 2, "min_new_tokens": POSITIONS - 2}
    w = AttentionWidget.from_model(
        FAMILIES["gpt2"](), inputs={"input_ids": [5, 11, 3]}, generate=options
    )
    assert len(w.tokens) == POSITIONS
    assert w.generation is not None
    assert w.generation.state == "done"


def test_computed_positions_have_no_end() -> None:
    w = AttentionWidget.from_model(
        FAMILIES["llama"](), inputs={"input_ids": [5, 11, 3]},
        generate={"max_new_tokens": 40, "min_new_tokens": 40},
    )  # fmt: skip
    assert len(w.tokens) == 42
    assert w.generation is not None
    assert w.generation.state == "done"


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("error", [IndexError("mine"), RuntimeError("mine out of bounds")])
def test_an_error_of_another_origin_is_raised(name: str, error: Exception) -> None:
    """Of the user's own function, after the model has passed all of its positions."""
    at = POSITIONS + 1 if name == "gpt2" else POSITIONS + 2

    def broken(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if ids.shape[1] == at - 1:
            raise error
        return scores

    model = FAMILIES[name]()
    with pytest.raises(type(error), match="mine"):
        capture_generation(
            model, None, None, {**LONG, "logits_processor": [broken]}, lambda _: None,
            inputs={"input_ids": torch.tensor([[5, 11, 3]])},
        )  # fmt: skip
