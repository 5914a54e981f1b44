"""An encoder-decoder in BertViz's views: eager's numbers, and layers that are told truthfully."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from bertviz import head_view, model_view
from models import settle

from attnwidget.bertviz.document import document_encoder_decoder

STACKS = ("encoder", "decoder", "cross")
SOURCE = ["the", "cat", "</script>", "sat", "</s>"]
TARGET = ["<s>", "die", "Katze"]


def t5(encoder_layers: int = 2, decoder_layers: int = 2) -> Any:
    torch.manual_seed(0)
    config = tf.T5Config(
        vocab_size=40, d_model=32, d_kv=8, d_ff=24, num_layers=encoder_layers, num_heads=4,
        num_decoder_layers=decoder_layers, decoder_start_token_id=0, pad_token_id=0,
    )  # fmt: skip
    return settle(tf.T5ForConditionalGeneration(config))


def bart(encoder_heads: int = 4, decoder_heads: int = 4) -> Any:
    torch.manual_seed(0)
    config = tf.BartConfig(
        vocab_size=40, d_model=32, encoder_layers=2, decoder_layers=3, pad_token_id=0,
        encoder_attention_heads=encoder_heads, decoder_attention_heads=decoder_heads,
        encoder_ffn_dim=24, decoder_ffn_dim=24, bos_token_id=1, eos_token_id=1,
        decoder_start_token_id=1,
    )  # fmt: skip
    return settle(tf.BartForConditionalGeneration(config))


def eager(model: Any) -> dict[str, list[np.ndarray]]:
    """transformers' own attention, (h, n_q, n_k) for each layer, by stack."""
    model.set_attn_implementation("eager")
    with torch.no_grad():
        out = model(
            input_ids=torch.tensor([[5, 11, 3, 9, 1]]),
            decoder_input_ids=torch.tensor([[1, 8, 13]]),
            output_attentions=True,
        )
    return {
        stack: [layer[0].numpy() for layer in getattr(out, name)]
        for stack, name in zip(
            STACKS, ("encoder_attentions", "decoder_attentions", "cross_attentions"), strict=True
        )
    }


def params(page: str) -> dict[str, Any]:
    return json.JSONDecoder().raw_decode(page.split("const params = ", 1)[1])[0]


def show(kind: str, given: dict[str, Any], **options: Any) -> str:
    options = {"encoder_tokens": SOURCE, "decoder_tokens": TARGET, **options}
    return document_encoder_decoder(kind, **given, **options)


def of_layer(page: str, stack: int, number: int) -> np.ndarray:
    found = params(page)
    return np.array(found["attention"][stack]["attn"][found["include_layers"].index(number)])


@pytest.mark.parametrize("model", [t5, bart, lambda: t5(3, 1)])
@pytest.mark.parametrize("view", ["head", "model"])
def test_bertviz_gets_eagers_numbers(view, model):
    given = eager(model())
    page = show(view, given)
    told = params(page)
    assert [part["name"] for part in told["attention"]] == ["Encoder", "Decoder", "Cross"]
    texts = [(part["left_text"], part["right_text"]) for part in told["attention"]]
    assert texts == [(SOURCE, SOURCE), (TARGET, TARGET), (TARGET, SOURCE)]
    deepest = max(map(len, given.values()))
    assert told["include_layers"] == list(range(deepest))
    for i, stack in enumerate(STACKS):
        for number, weights in enumerate(given[stack]):
            assert np.abs(of_layer(page, i, number) - weights).max() <= 5e-5
        # A layer that isn't there has no weight at all, and every head is there to be empty.
        for number in range(len(given[stack]), deepest):
            assert told["attention"][i]["attn"][number] == [[[]]] * 4


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["head", "model"])
def test_of_one_depth_it_is_what_bertviz_tells_itself(view, theme):
    given = eager(t5())
    tensors = {
        f"{stack}_attention": [
            torch.round(torch.tensor(w).double(), decimals=4)[None] for w in maps
        ]
        for stack, maps in given.items()
    }
    options = {"encoder_tokens": list(SOURCE), "decoder_tokens": list(TARGET)}
    if view == "head":
        own = head_view(**tensors, **options, layer=1, html_action="return").data
    else:
        own = model_view(**tensors, **options, display_mode=theme, html_action="return").data
    ours = show(view, given, layer=1, theme=theme)
    found, wanted = params(ours), params(own)
    del found["root_div_id"], wanted["root_div_id"]
    assert found == wanted
    options = r'<option value="\d"[^>]*>'
    assert re.findall(options, ours) == re.findall(options, own) != []


@pytest.mark.parametrize("view", ["head", "model"])
def test_one_stack_alone_with_its_own_layer_numbers(view):
    given = {"cross": eager(t5())["cross"]}
    page = show(view, given, layers={"cross": [3, 8]}, layer=8)
    assert params(page)["include_layers"] == [3, 8]
    assert np.abs(of_layer(page, 0, 8) - given["cross"][1]).max() <= 5e-5
    assert 'id="filter"' not in page.split("<svg")[0].split("<script>")[0]


def test_layers_in_between_that_a_stack_lacks_stay_empty():
    given = eager(bart())
    given["cross"] = given["cross"][:2]
    page = show("model", given, layers={"cross": [0, 2], "encoder": [1, 2]})
    assert params(page)["include_layers"] == [0, 1, 2]
    assert params(page)["attention"][0]["attn"][0] == [[[]]] * 4
    assert params(page)["attention"][2]["attn"][1] == [[[]]] * 4
    assert np.abs(of_layer(page, 0, 2) - given["encoder"][1]).max() <= 5e-5
    assert np.abs(of_layer(page, 2, 2) - given["cross"][1]).max() <= 5e-5
    assert "<p>Encoder: layers 1 to 2; Decoder: layers 0 to 2; Cross: layers 0, 2.</p>" in page


def test_it_starts_with_the_first_stack_that_has_the_layer():
    page = show("head", eager(bart()), layer=2)  # two layers of encoder, three of decoder
    assert params(page)["default_filter"] == "1"
    assert '<option value="1" selected>Decoder</option>' in page
    assert params(show("head", eager(bart())))["default_filter"] == "0"


def test_a_stack_without_any_of_the_layers_is_left_out_and_the_page_says_so():
    page = show("head", eager(bart()), include_layers=[2])
    assert [part["name"] for part in params(page)["attention"]] == ["Decoder", "Cross"]
    said = "Encoder: none of these layers; Decoder: layer 2; Cross: layer 2."
    assert f"<p>{said}</p>" in page


def test_heads_of_different_number():
    given = eager(bart(encoder_heads=2))
    words = "encoder 2, decoder 4, cross 4; want one of them alone, or kind='model'"
    with pytest.raises(ValueError, match=re.escape(words)):
        show("head", given)
    assert len(of_layer(show("head", {"decoder": given["decoder"]}), 0, 0)) == 4
    page = show("model", given)
    assert params(page)["total_heads"] == 4
    assert params(page)["include_heads"] == [0, 1, 2, 3]
    for i, stack in enumerate(STACKS):
        assert np.abs(of_layer(page, i, 0) - given[stack][0]).max() <= 5e-5
    page = show("model", given, include_heads=[1])
    assert np.abs(of_layer(page, 2, 1) - given["cross"][1][[1]]).max() <= 5e-5
    with pytest.raises(ValueError, match=re.escape("want different numbers among [0, 1]")):
        show("model", given, include_heads=[2])


def test_only_the_layers_that_fit():
    draw = np.random.default_rng(1)
    given = {
        stack: list(draw.dirichlet(np.ones(n_k), (4, 8, n_q)))
        for stack, n_q, n_k in (("encoder", 40, 40), ("decoder", 30, 30), ("cross", 30, 40))
    }
    said = {"encoder_tokens": ["a"] * 40, "decoder_tokens": ["b"] * 30}
    whole = show("head", given, **said)
    page = show("head", given, **said, layer=3, max_bytes=len(whole) * 3 // 4)
    assert len(page.encode()) <= len(whole) * 3 // 4
    assert params(page)["include_layers"] == [2, 3]
    assert "<p>Layers 2 to 3 (2 of 4): all could be" in page
    with pytest.raises(ValueError, match="encoder: one layer of 8 heads at 40 tokens is 12,800"):
        show("head", given, **said, max_bytes=100_000)


@pytest.mark.parametrize(
    ("error", "words", "change"),
    [
        (ValueError, "got None for all, want at least one", {"encoder": None}),
        (ValueError, "encoder_tokens: got None, want a string", {"encoder_tokens": None}),
        (ValueError, "encoder: layer 0 has shape (2, 3, 3), want (any, 2, 2)",
         {"encoder_tokens": ["a", "b"]}),
        (ValueError, "cross: layer 0 has shape (2, 3, 3), want (any, 2, 3)",
         {"cross": np.ones((1, 2, 3, 3)), "decoder_tokens": ["a", "b"]}),
        (ValueError, "decoder_tokens: got None", {"cross": np.ones((1, 2, 2, 3))}),
        (ValueError, "layers: got ['self'], want among encoder", {"layers": {"self": [0]}}),
        (ValueError, "layers: got [0, 1], want 1 different", {"layers": {"encoder": [0, 1]}}),
        (ValueError, "layer: got 1, want 0..0", {"layer": 1}),
        (ValueError, "encoder: got no layer", {"encoder": []}),
        (TypeError, "encoder_tokens: got str", {"encoder_tokens": "abc"}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(error, words, change):
    given = {"encoder": np.full((1, 2, 3, 3), 0.3), "encoder_tokens": ["a", "b", "c"], **change}
    with pytest.raises(error, match=re.escape(words)):
        document_encoder_decoder("head", **given)
