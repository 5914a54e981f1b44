"""What a hard user brings: broken weights, models never seen, odd inputs."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import transformers as tf
from models import ENCODERS, FAMILIES, N_LAYERS, build, tokenizer
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from attnwidget import AttentionWidget

TEXT = "the cat sat on a mat there"
IDS = torch.tensor([[5, 11, 3, 9, 2, 8, 13]])


def eager(model, **inputs):
    other = copy.deepcopy(model)
    other.set_attn_implementation("eager")
    with torch.no_grad():
        return [p[0].numpy() for p in other(**inputs, output_attentions=True).attentions]


def broken(value, *layers):
    """A BERT with `value` among the query weights of `layers`."""
    model = ENCODERS["bert"]()
    with torch.no_grad():
        for layer in layers:
            model.encoder.layer[layer].attention.self.query.weight[3, 5] = value
    return model


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_broken_layer_is_named_and_the_others_are_there(value):
    model = broken(value, 1)
    whole = {name: t.clone() for name, t in model.state_dict().items()}
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    assert w.notice.startswith(
        "NaN or infinity in what the model computed: layer 1 can't be shown "
        "(the first is encoder.layer.1.attention.self)."
    )
    want = eager(model, input_ids=tokenizer()(TEXT, return_tensors="pt")["input_ids"])
    np.testing.assert_allclose(w.weights(0), want[0], atol=1e-6)
    with pytest.raises(ValueError, match=r"layer 1, head 0 \(encoder\.layer\.1\.attention\.self\)"):
        w.layer = 1
    assert w.layer == 0
    np.testing.assert_allclose(w.attention, want[0][0], atol=1e-6)
    w.set_state({"layer": 1})
    assert "layer 1, head 0" in w.error
    assert w.layer == 0
    for name, t in model.state_dict().items():
        torch.testing.assert_close(t, whole[name], equal_nan=True, rtol=0, atol=0)


def test_a_broken_layer_is_dark_in_the_grid():
    w = AttentionWidget.from_model(broken(float("nan"), 1), tokenizer(), TEXT)
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    w._handle_custom_msg({"type": "grid", "id": "1"}, [])
    w._handle_custom_msg({"type": "lines", "layer": 1, "id": "2"}, [])
    (grid, (maps,)), (lines, _) = sent
    entropy = np.array(grid["statistics"]["entropy"], float)
    assert np.isfinite(entropy[[0, 2]]).all()
    assert np.isnan(entropy[1]).all()
    drawn = np.frombuffer(maps, np.uint8).reshape(grid["shape"]).any(axis=(1, 2, 3))
    assert drawn.tolist() == [True, False, True]
    assert "NaN" in lines["error"]


def test_a_model_of_nothing_but_nan_is_an_error():
    with pytest.raises(ValueError, match=r"model: what BertModel computed in layer 0, head 0 \("):
        AttentionWidget.from_model(broken(float("nan"), *range(N_LAYERS)), tokenizer(), TEXT)


def test_a_quantised_model_is_read_as_it_computes():
    plain = ENCODERS["bert"]()
    model = torch.ao.quantization.quantize_dynamic(
        copy.deepcopy(plain), {torch.nn.Linear}, dtype=torch.qint8
    )
    w = AttentionWidget.from_model(model, inputs={"input_ids": IDS})
    want = eager(model, input_ids=IDS)
    for layer in range(N_LAYERS):
        np.testing.assert_allclose(w.weights(layer), want[layer], atol=1e-6)
    # It is the quantised one that was read.
    assert np.abs(want[2] - eager(plain, input_ids=IDS)[2]).max() > 1e-4
    assert w.output_norms is None


def i_bert(**settings):
    return build(
        tf.IBertModel, tf.IBertConfig, hidden_size=32, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=32, **settings,
    )  # fmt: skip


def test_i_bert_s_own_modules_are_read():
    """Its embeddings and linear layers are no torch modules; in floats they compute as those do."""
    model = i_bert()
    given = {"input_ids": IDS, "attention_mask": (torch.arange(7) < 5).long()[None]}
    w = AttentionWidget.from_model(model, inputs=given)
    with torch.no_grad():
        wanted = model(**given, output_attentions=True).attentions
    for layer in range(2):
        np.testing.assert_allclose(
            w.weights(layer)[:, :5], wanted[layer][0, :, :5].numpy(), atol=1e-6
        )
    assert w.output_norms is None
    with pytest.raises(ValueError, match="got 32 tokens, want at most 31, which is how many posi"):
        AttentionWidget.from_model(model, inputs={"input_ids": torch.full((1, 32), 5)})


def test_i_bert_s_softmax_of_integers_is_not_seen():
    with pytest.raises(ValueError, match="IBertModel made no attention call that could be seen"):
        AttentionWidget.from_model(i_bert(quant_mode=True), inputs={"input_ids": IDS})


def test_a_text_of_padding_alone_can_be_looked_at():
    model = ENCODERS["bert"]()
    given = {"input_ids": IDS, "attention_mask": torch.zeros_like(IDS)}
    w = AttentionWidget.from_model(model, inputs=given)
    assert w.locked.all()
    assert not w.attention.any()


# --- architectures never seen ------------------------------------------------------------------


class Config(PretrainedConfig):
    model_type = "never-seen"


class OwnAttention(torch.nn.Module):
    """Two heads, with a softmax of its own."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (torch.nn.Linear(8, 8) for _ in range(4))

    def weights(self, scores):
        return torch.nn.functional.softmax(scores, dim=-1)

    def forward(self, x):
        q, k, v = (f(x).view(1, -1, 2, 4).transpose(1, 2) for f in (self.q, self.k, self.v))
        self.seen = self.weights(q @ k.transpose(-1, -2) / 2)
        return self.o((self.seen @ v).transpose(1, 2).reshape(x.shape))


class HandMadeAttention(OwnAttention):
    """The same weights, but not by a softmax that could be seen."""

    def weights(self, scores):
        return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)


class Own(PreTrainedModel):
    config_class = Config

    def __init__(self, layers):
        super().__init__(Config())
        self.embed = torch.nn.Embedding(40, 8)
        self.layers = torch.nn.ModuleList(layers)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=torch.manual_seed(3)))

    def get_input_embeddings(self):
        return self.embed

    def forward(self, input_ids, attention_mask=None):
        x = self.embed(input_ids)
        for layer in self.layers:
            x = x + layer(x)
        return BaseModelOutput(last_hidden_state=x)


def test_attention_of_one_s_own_is_read_at_its_softmax():
    model = Own([OwnAttention() for _ in range(3)]).eval()
    w = AttentionWidget.from_model(model, inputs={"input_ids": IDS})
    assert [layer.index for layer in w.layers] == [0, 1, 2]
    model(IDS)
    for number, layer in enumerate(model.layers):
        np.testing.assert_allclose(w.weights(number), layer.seen[0].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([HandMadeAttention()], "Own made no attention call that could be seen"),
        ([torch.nn.Linear(8, 8)], "Own has no attention layers"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(layers, reason):
    model = Own(layers)
    modules = {name: dict(vars(module)) for name, module in model.named_modules()}
    with pytest.raises(ValueError, match=f"model: {reason}.* Supported is every transformers"):
        AttentionWidget.from_model(model, inputs={"input_ids": IDS})
    for name, module in model.named_modules():
        assert vars(module).keys() == modules[name].keys()
        assert module.training


# --- inputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "inputs", "error", "wanted"),
    [
        ("bert", {"input_ids": IDS[None]}, ValueError, r"input_ids: got shape \(1, 1, 7\), want"),
        ("bert", {"input_ids": IDS[0, 0]}, ValueError, r"input_ids: got shape \(\), want \(batch"),
        ("bert", IDS[0, 0], TypeError, "inputs: got Tensor, want what the model is called with"),
        ("bert", np.array(3), TypeError, "inputs: got ndarray, want what the model is called with"),
        ("bert", {"input_ids": IDS[:, :0]}, ValueError, r"input_ids: got shape \(1, 0\), want"),
        ("bert", {"input_ids": IDS + 40}, ValueError, "got token id 53, want 0..39"),
        ("bert", {"input_ids": IDS.repeat(1, 9)}, ValueError, "got 63 tokens, want at most 32"),
        ("bert", {"input_ids": IDS - 3}, ValueError, r"input_ids: got token id -1, want 0\.\.39"),
        ("gpt2", {"input_ids": IDS.float()}, TypeError, r"got float32, want .*numbers, 0\.\.39"),
        ("gpt2", {"input_ids": IDS > 5}, TypeError, r"input_ids: got bool, want token ids"),
        ("gpt2", {"input_ids": [[5.0, 2.0]]}, TypeError, "input_ids: got float32, want token ids"),
        ("gpt2", {"input_ids": [["the", "cat"]]}, TypeError, "input_ids: got <U3 in a list"),
        ("gpt2", {"input_ids": [[5, 2], [3]]}, ValueError, "input_ids: got rows of .*padding"),
        ("gpt2", "the cat", TypeError, "inputs: got str, want what the model is called with"),
        ("gpt2", [], TypeError, "inputs: got an empty list, want at least one token id"),
    ],
)
def test_inputs_that_do_not_fit_are_named(name, inputs, error, wanted):
    model = FAMILIES[name]()
    with pytest.raises(error, match=wanted):
        AttentionWidget.from_model(model, inputs=inputs)
    assert model.config._attn_implementation == "sdpa"


def test_a_failed_opening_leaves_the_open_widget_alone():
    model = ENCODERS["bert"]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    before = w.attention
    with pytest.raises(ValueError, match="text: got 50 tokens"):
        AttentionWidget.from_model(model, tokenizer(), "cat " * 50)
    np.testing.assert_array_equal(w.attention, before)
    assert w.error == ""
