"""A model inside of something else: taken out where it computes the same, else named."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import accelerate
import numpy as np
import pytest
import torch
import transformers as tf
from models import ENCODERS, FAMILIES, tokenizer
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedModel

from attnwidget import AttentionWidget

TEXT = "the cat sat on a mat"


def eager(model: PreTrainedModel, text: str = TEXT) -> list[np.ndarray]:
    """transformers' own weights of what `model` computes, (h, n, n) for each layer."""
    other = copy.deepcopy(model).eval()
    other.set_attn_implementation("eager")
    with torch.no_grad():
        said = other(**tokenizer()(text, return_tensors="pt"), output_attentions=True)
    return [layer[0].numpy() for layer in said.attentions]


def assert_shows(w: AttentionWidget, wanted: list[np.ndarray]) -> None:
    assert len(w.layers) == len(wanted)
    for layer, weights in zip(w.layers, wanted, strict=True):
        np.testing.assert_allclose(w.weights(layer.index), weights, rtol=0, atol=1e-6)


# --- torch -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        torch.compile,
        torch.nn.DataParallel,
        lambda model: torch.compile(torch.nn.DataParallel(model)),
    ],
    ids=["torch.compile", "DataParallel", "both"],
)
def test_a_wrapper_of_torch_s_is_taken_off(wrap: Any) -> None:
    model = ENCODERS["bert"]()
    w = AttentionWidget.from_model(wrap(model), tokenizer(), TEXT)
    assert_shows(w, eager(model))
    assert w.subtitle.startswith("BertModel")


def test_a_compiled_model_writes() -> None:
    model, options = FAMILIES["gpt2"](), {"max_new_tokens": 3, "min_new_tokens": 3}
    w = AttentionWidget.from_model(torch.compile(model), tokenizer(), TEXT, generate=options)
    plain = AttentionWidget.from_model(model, tokenizer(), TEXT, generate=options)
    assert w.tokens == plain.tokens
    np.testing.assert_array_equal(w.attention, plain.attention)


def test_a_model_in_parts_is_named() -> None:
    kind = type("FullyShardedDataParallel", (), {"__module__": "torch.distributed.fsdp.api"})
    sharded = kind()
    sharded.module = ENCODERS["bert"]()
    with pytest.raises(ValueError, match="model: FullyShardedDataParallel keeps a part of each"):
        AttentionWidget.from_model(sharded, tokenizer(), TEXT)


# --- sentence-transformers, and transformers' pipelines ----------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    ENCODERS["bert"]().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", [None, tokenizer()], ids=["its tokenizer", "another"])
@pytest.mark.parametrize("part", [lambda s: s, lambda s: s[0]], ids=["whole", "first module"])
def test_a_sentence_transformer_s_token_vectors(saved: Path, part: Any, words: Any) -> None:
    model = part(SentenceTransformer(str(saved), device="cpu"))
    w = AttentionWidget.from_model(model, words, TEXT)
    assert_shows(w, eager(ENCODERS["bert"]()))
    assert w.tokens == tuple(TEXT.split())


def test_a_sentence_transformer_without_a_transformer_is_named(saved: Path) -> None:
    pooling = SentenceTransformer(str(saved), device="cpu")[1]
    model = SentenceTransformer(modules=[pooling], device="cpu")
    wanted = "model: the first module of SentenceTransformer holds no transformers model"
    with pytest.raises(ValueError, match=wanted):
        AttentionWidget.from_model(model, tokenizer(), TEXT)


def test_a_pipeline_brings_its_tokenizer() -> None:
    model = FAMILIES["gpt2"]()
    pipe = tf.pipeline("text-generation", model=model, tokenizer=tokenizer(), device="cpu")
    w = AttentionWidget.from_model(pipe, text=TEXT)
    assert_shows(w, eager(model))
    assert w.tokens == tuple(TEXT.split())


# --- PEFT, imitated: it is not installed here --------------------------------------------------


class Adapted(torch.nn.Module):
    """A linear layer with a low-rank addition, as LoRA (Hu et al. 2021, arXiv 2106.09685)."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.base_layer = layer
        noise = torch.Generator().manual_seed(5)
        self.A = torch.nn.Parameter(0.2 * torch.randn(2, layer.in_features, generator=noise))
        self.B = torch.nn.Parameter(0.2 * torch.randn(layer.out_features, 2, generator=noise))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base_layer(x) + x @ self.A.T @ self.B.T


def peft(model: PreTrainedModel, kind: str, **settings: Any) -> Any:
    """A PeftModel as PEFT builds one: model.base_model is a tuner, its .model the model."""
    tuner = torch.nn.Module()
    tuner.model = model
    around = type("PeftModel", (torch.nn.Module,), {"__module__": "peft.peft_model"})()
    around.base_model = tuner
    around.peft_config = {"default": SimpleNamespace(peft_type=kind, **settings)}
    around.active_adapters = ["default"]
    return around


def test_adapters_inside_the_layers_are_read() -> None:
    model = FAMILIES["llama"]()
    bare = eager(model)
    for layer in model.model.layers:
        layer.self_attn.q_proj = Adapted(layer.self_attn.q_proj)
    w = AttentionWidget.from_model(peft(model, "LORA"), tokenizer(), TEXT)
    wanted = eager(model)
    assert np.abs(wanted[0] - bare[0]).max() > 0.01
    assert_shows(w, wanted)


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("PROMPT_TUNING", {"is_prompt_learning": True}, "puts tokens of its own before the text"),
        ("ADAPTION_PROMPT", {"is_adaption_prompt": True}, "adds a second attention"),
        ("LORA", {"alora_invocation_tokens": [3]}, "starts at a place in the text"),
        ("POLY", {}, "chooses its adapters by a task id"),
        ("XLORA", {}, "mixes its adapters by a pass"),
    ],
)
def test_adapters_outside_the_model_are_named(kind: str, settings: Any, reason: str) -> None:
    model = peft(FAMILIES["llama"](), kind, **settings)
    wanted = f"model: PeftModel has the adapter 'default' of kind {kind}, which {reason}.*LoRA"
    with pytest.raises(ValueError, match=wanted):
        AttentionWidget.from_model(model, tokenizer(), TEXT)


# --- accelerate's offload -----------------------------------------------------------------------


def test_weights_that_accelerate_loads_for_each_pass_are_weights() -> None:
    model = ENCODERS["bert"]()
    wanted = eager(model)
    away = copy.deepcopy(model)
    accelerate.cpu_offload(away, execution_device=torch.device("cpu"))
    assert all(p.is_meta for p in away.parameters())
    w = AttentionWidget.from_model(away, tokenizer(), TEXT)
    assert_shows(w, wanted)
    assert w.output_norms is None
    assert all(p.is_meta for p in away.parameters())


def test_a_hook_that_loads_nothing_is_no_weight() -> None:
    model = copy.deepcopy(ENCODERS["bert"]())
    torch.nn.Module.to(model, "meta")
    model._hf_hook = SimpleNamespace(offload=False)
    with pytest.raises(ValueError, match="parameters on the meta device, which hold no weights"):
        AttentionWidget.from_model(model, tokenizer(), TEXT)


# --- no model ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert-base-uncased", Path("here/model")])
def test_a_name_gets_the_lines_that_load_it(name: Any) -> None:
    wanted = (
        rf'model: got the name "{name}", want .* AutoModel\.from_pretrained\("{name}"\); '
        rf'tokenizer = AutoTokenizer\.from_pretrained\("{name}"\)'
    )
    with pytest.raises(TypeError, match=wanted):
        AttentionWidget.from_model(name, None, TEXT)


def test_a_class_is_no_model() -> None:
    with pytest.raises(TypeError, match=r"got the class BertModel, .*BertModel\.from_pretrained"):
        AttentionWidget.from_model(tf.BertModel, tokenizer(), TEXT)
