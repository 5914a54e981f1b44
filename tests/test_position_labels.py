"""Positions that are neither a patch nor a token of the text are numbered; cross-attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import transformers as tf
from architectures import ARCHITECTURES, COMMON, noise, whole
from mixed import IMAGE_TOKEN, MIXED, TEXT, TOWER, WORDS_IN, ids, qwen2_5_vl
from models import PAD, VOCABULARY, WORDS, tokenizer
from odd_patches import changed, entering, labels_of, odd, stack_of
from towers import PIXELS, SIZE, VIDEO, squares, unmixed

from attnwidget import AttentionWidget
from attnwidget.capture.inputs import read_inputs, read_tokens
from attnwidget.capture.positions import shared_tokens
from attnwidget.capture.source import ModelSource

IMAGE_OF_9 = {"pixel_values": noise(1, 3, 12, 12)}
LAYERS = {**TOWER, "num_hidden_layers": 2}
DECODER = {
    "decoder_hidden_size": 32, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 24,
}  # fmt: skip


def numbered(n: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(n))


def test_patches_in_random_order_are_numbered() -> None:
    model = whole(tf.ViTMAEForPreTraining, tf.ViTMAEConfig(**LAYERS, **DECODER))
    source = ModelSource.capture(model, None, inputs=IMAGE_OF_9)
    assert source.of("vision").tokens == numbered(3)  # a quarter of 9 patches, and a CLS
    assert source.of("self").tokens == numbered(10)


def test_the_visible_patches_of_a_masked_video_are_numbered() -> None:
    config = tf.VideoMAEConfig(
        **{**LAYERS, "image_size": SIZE}, **DECODER, tubelet_size=2, num_frames=4
    )
    masked = torch.tensor([[True, False] * 6])
    source = ModelSource.capture(
        whole(tf.VideoMAEForPreTraining, config), None, inputs={**VIDEO, "bool_masked_pos": masked}
    )
    assert source.of("self 6×6").tokens == numbered(6)
    # The decoder has all 12, the visible ones first.
    assert source.of("self 12×12").tokens == numbered(12)


def test_an_unknown_tower_is_numbered() -> None:
    """A pyramid has a CLS in its last stage alone, and keys that stand for several patches."""
    config = tf.PvtConfig(
        image_size=16, num_encoder_blocks=2, depths=[1, 1], hidden_sizes=[16, 32],
        sequence_reduction_ratios=[2, 1], patch_sizes=[4, 2], strides=[4, 2],
        num_attention_heads=[2, 4], mlp_ratios=[2, 2],
    )  # fmt: skip
    inputs = {"pixel_values": noise(1, 3, 16, 16)}
    source = ModelSource.capture(whole(tf.PvtModel, config), None, inputs=inputs)
    for stack in source.stack_names.values():
        shown = source.of(stack)
        assert shown.tokens == numbered(len(shown.tokens))
        keys = shown.key_tokens
        assert keys is None or keys == numbered(len(keys))


def test_a_tower_that_puts_its_patches_in_another_order_is_numbered() -> None:
    inputs = MIXED["qwen2_5_vl"].inputs
    source = ModelSource.capture(qwen2_5_vl(), None, inputs=inputs)
    for stack in source.stack_names.values():
        if stack.startswith("vision"):
            assert source.of(stack).tokens == numbered(24)
    assert "vision" in "".join(source.stack_names.values())


def test_a_known_tower_with_another_number_of_positions_is_numbered() -> None:
    model = ARCHITECTURES["vit"].make()
    module = "layers.0.attention"
    assert stack_of(model, PIXELS, module, 7)[:2] == ("CLS", "0,0")
    assert stack_of(model, PIXELS, module, 8) == numbered(8)


def blip2() -> Any:
    """4 queries beside a text of 4 tokens, so that their stacks have the same size."""
    config = tf.Blip2Config(
        vision_config=LAYERS,
        qformer_config={
            **{k: v for k, v in COMMON.items() if k != "max_position_embeddings"},
            "encoder_hidden_size": 32, "vocab_size": VOCABULARY, "cross_attention_frequency": 1,
        },
        text_config={
            "model_type": "opt", "vocab_size": VOCABULARY, "hidden_size": 32, "ffn_dim": 24,
            "num_attention_heads": 4, "num_hidden_layers": 2, "max_position_embeddings": 64,
            "word_embed_proj_dim": 32, "pad_token_id": PAD,
        },
        num_query_tokens=4, image_token_index=IMAGE_TOKEN,
    )  # fmt: skip
    return whole(tf.Blip2ForConditionalGeneration, config)


def test_queries_are_no_text_even_where_there_are_as_many() -> None:
    model, inputs = blip2(), {**ids(*[IMAGE_TOKEN] * 4), **IMAGE_OF_9}
    queries = "qformer.encoder.layer.0.attention.attention"
    text = "language_model.model.decoder.layers.0.self_attn"
    images = tuple(f"image {i}" for i in range(4))
    assert stack_of(model, inputs, queries, 4) == numbered(4)
    assert stack_of(model, inputs, text, 4) == images
    # The widget shows both in one stack, whose labels have to be true of both.
    reading = read_inputs(model, tokenizer(), inputs)
    assert shared_tokens("self", 4, reading, model, [text, queries])[0] == numbered(4)
    assert shared_tokens("self", 4, reading, model, [text])[0] == images
    assert ModelSource.capture(model, tokenizer(), inputs=inputs).tokens == numbered(4)


def test_latents_are_no_text_even_where_there_are_as_many() -> None:
    config = tf.PerceiverConfig(
        num_latents=4, d_latents=32, d_model=32, num_blocks=1, num_self_attends_per_block=2,
        num_self_attention_heads=4, num_cross_attention_heads=4, vocab_size=VOCABULARY,
        max_position_embeddings=4, qk_channels=32, v_channels=32,
    )  # fmt: skip
    model = whole(tf.PerceiverForMaskedLM, config)
    module = "perceiver.encoder.self_attends.0.attention.self"
    assert dict(model.named_modules())[module] is not None
    assert stack_of(model, ids(*TEXT), module, 4) == numbered(4)


def kosmos2(text: list[int]) -> tuple[Any, dict[str, torch.Tensor]]:
    """A text with 4 latent queries of an image behind its second token."""
    config = tf.Kosmos2Config(
        vision_config={**LAYERS, "num_hidden_layers": 1},
        text_config={
            "vocab_size": VOCABULARY, "max_position_embeddings": 64, "embed_dim": 32, "layers": 2,
            "ffn_dim": 24, "attention_heads": 4, "pad_token_id": PAD,
        },
        latent_query_num=4,
    )  # fmt: skip
    row = [*text[:2], 3, 3, 3, 3, *text[2:]]
    holds = [0 < 2 <= i < 6 for i in range(len(row))]
    inputs = {**ids(*row), **IMAGE_OF_9, "image_embeds_position_mask": torch.tensor([holds]).int()}
    return whole(tf.Kosmos2Model, config), inputs


def test_latent_queries_stand_in_a_text_by_number() -> None:
    model, inputs = kosmos2(TEXT)
    source = ModelSource.capture(model, tokenizer(), inputs=inputs)
    a, b, c, d = (WORDS[i - 2] for i in TEXT)
    assert source.of("self").tokens == (a, b, *(f"image {i}" for i in range(4)), c, d)
    # The latents read the image and themselves.
    projection = next(
        stack for stack in source.stack_names.values() if stack.startswith("vision 4")
    )
    assert source.of(projection).tokens == numbered(4)
    assert source.of(projection).key_tokens == numbered(14)
    _, module = labels_of(source, "self")
    plain = entering(model, module, inputs)
    image = entering(model, module, odd(inputs, "pixel_values", ...))
    assert changed(plain, image) == [2, 3, 4, 5]


def test_patches_drawn_at_random_are_numbered_behind_their_text() -> None:
    config = tf.ViltConfig(**{**WORDS_IN, **TOWER, "num_hidden_layers": 1, "image_size": 12})
    model, module = whole(tf.ViltModel, config), "encoder.layer.0.attention.attention"
    inputs = {**ids(*TEXT), **IMAGE_OF_9}
    torch.manual_seed(1)
    plain = entering(model, module, inputs)
    labels = stack_of(model, inputs, module, len(plain))
    assert labels == (
        *(WORDS[i - 2] for i in TEXT), "image CLS", *(f"image {i}" for i in range(1, 10)),
    )  # fmt: skip
    torch.manual_seed(2)
    again = entering(model, module, inputs)
    kept = [labels[i] for i in range(len(labels)) if i not in changed(plain, again)]
    assert kept[:5] == [*(WORDS[i - 2] for i in TEXT), "image CLS"]
    assert len(kept) < len(labels), "another seed, another order of patches"


def reads_images(encoder: Any) -> Any:
    """An image tower that a GPT-2 reads."""
    decoder = tf.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_head=4, n_layer=2, n_positions=32, bos_token_id=1,
        eos_token_id=1, add_cross_attention=True, is_decoder=True,
    )  # fmt: skip
    config = tf.VisionEncoderDecoderConfig(
        encoder=encoder.to_dict(), decoder=decoder.to_dict(), decoder_start_token_id=1,
        pad_token_id=PAD,
    )  # fmt: skip
    return whole(lambda config: tf.VisionEncoderDecoderModel(config), config)


VIT = tf.ViTConfig(**{**LAYERS, "image_size": SIZE})


@pytest.mark.parametrize("given", ["decoder_input_ids", "labels"])
def test_an_image_that_a_decoder_reads(given: str) -> None:
    wanted = [WORDS[i - 2] for i in TEXT]
    if given == "labels":  # behind the start token, and without the last
        wanted = ["[UNK]", *wanted[:-1]]
    inputs = {**PIXELS, given: torch.tensor([TEXT])}
    w = AttentionWidget.from_model(reads_images(VIT), tokenizer(), inputs=inputs)
    patches = ["CLS", *squares()]
    w.stack = "encoder"
    assert list(w.tokens) == patches
    w.stack = "decoder"
    assert list(w.tokens) == wanted
    w.stack = "cross"
    assert list(w.tokens) == wanted
    assert w.key_tokens is not None
    assert list(w.key_tokens) == patches


def test_the_keys_of_an_unknown_encoder_are_numbered() -> None:
    """A Swin ends in an image of 4 x 6 places, and attends in windows of 4 x 4 before that."""
    config = tf.SwinConfig(
        image_size=(16, 24), patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 4],
        window_size=4, mlp_ratio=2.0,
    )  # fmt: skip
    inputs = {"pixel_values": noise(1, 3, 16, 24), "decoder_input_ids": torch.tensor([TEXT])}
    source = ModelSource.capture(reads_images(config), tokenizer(), inputs=inputs).of("cross")
    assert source.tokens == tuple(WORDS[i - 2] for i in TEXT)
    assert source.key_tokens == numbered(24)


def test_keys_are_no_text_where_the_encoder_is_not_known() -> None:
    """An image tower may have as many positions as the text has tokens."""
    model = blip2()
    reading = read_inputs(model, tokenizer(), {**ids(*TEXT), **IMAGE_OF_9})
    assert shared_tokens("encoder", len(TEXT), reading, model, ())[0] == numbered(4)


def test_the_first_window_of_a_shifted_image() -> None:
    """The second layer of a Swin rolls the image by half a window: 2 patches of 2 pixels."""
    config = tf.SwinConfig(
        image_size=(16, 24), patch_size=2, embed_dim=16, depths=[2], num_heads=[2],
        window_size=4, mlp_ratio=2.0,
    )  # fmt: skip
    model = unmixed(whole(tf.SwinModel, config))
    inputs = {"pixel_values": noise(1, 3, 16, 24)}
    source = ModelSource.capture(model, None, inputs=inputs)
    second = source.layers[1].module
    plain = entering(model, second, inputs)
    for r, c in [(0, 0), (0, 3), (2, 1), (3, 3)]:
        place = (..., slice(2 * (r + 2), 2 * (r + 3)), slice(2 * (c + 2), 2 * (c + 3)))
        at = changed(plain, entering(model, second, odd(inputs, "pixel_values", place)))
        assert [source.tokens[i] for i in at] == [f"w0:{r},{c}"]


def test_a_key_that_stands_for_several_patches_names_them() -> None:
    """Segformer's first stage: 4 x 6 patches, keys of 2 x 2 patches each."""
    settings = {
        "num_encoder_blocks": 1, "depths": [1], "sr_ratios": [2], "hidden_sizes": [16],
        "patch_sizes": [7], "strides": [4], "num_attention_heads": [2], "mlp_ratios": [2],
    }  # fmt: skip
    model = whole(tf.SegformerModel, tf.SegformerConfig(**settings))
    inputs = {"pixel_values": noise(1, 3, 16, 24)}
    source = ModelSource.capture(model, None, inputs=inputs)
    keys = source.key_tokens
    assert keys == ("0-1,0-1", "0-1,2-3", "0-1,4-5", "2-3,0-1", "2-3,2-3", "2-3,4-5")
    module = f"{source.layers[0].module}.k_proj"
    plain = _given(model, module, inputs)
    for r in range(4):
        for c in range(6):
            other = odd(inputs, "pixel_values", (..., 4 * r, 4 * c))
            at = changed(plain, _given(model, module, other))
            rows, columns = (f"{i // 2 * 2}-{i // 2 * 2 + 1}" for i in (r, c))
            assert [keys[i] for i in at] == [f"{rows},{columns}"]


def _given(model: Any, module: str, inputs: Mapping[str, Any]) -> torch.Tensor:
    """Return what a projection is given, (n, width)."""
    given: list[torch.Tensor] = []
    handle = model.get_submodule(module).register_forward_pre_hook(
        lambda _module, args: given.append(args[0])
    )
    with torch.no_grad():
        model(**inputs)
    handle.remove()
    return given[0][0]


@pytest.mark.parametrize("name", ["qwen2-vl", "qwen2-vl-images"])
def test_patches_in_blocks_stand_where_the_model_itself_puts_them(name: str) -> None:
    architecture = ARCHITECTURES[name]
    model, inputs = architecture.make(), architecture.inputs()
    places: list[torch.Tensor] = []
    model.get_submodule("model.visual.rotary_pos_emb").register_forward_pre_hook(
        lambda _module, args: places.append(args[1])
    )
    labels = ModelSource.capture(model, None, inputs=inputs).of("vision").tokens
    numbers = [
        i for i, (t, h, w) in enumerate(inputs["image_grid_thw"].tolist()) for _ in range(t * h * w)
    ]
    rows = places[0].reshape(-1, 2) if places[0].shape[-1] == 2 else places[0].T
    prefix = "{}:" if name.endswith("images") else ""
    assert list(labels) == [
        f"{prefix.format(i)}{r},{c}" for i, (r, c) in zip(numbers, rows.tolist(), strict=True)
    ]


def test_images_of_another_text_of_the_batch_are_not_counted() -> None:
    """The first text has an image of 4 x 6 patches, the second one of 2 x 4."""
    architecture = ARCHITECTURES["qwen2-vl-images"]
    model, inputs = architecture.make(), architecture.inputs()
    texts = [[5, *[IMAGE_TOKEN] * 6, 9], [5, *[IMAGE_TOKEN] * 2, 9, 3, 2, 4, 8]]
    given = {k: inputs[k] for k in ("pixel_values", "image_grid_thw")}
    given["input_ids"] = torch.tensor(texts)
    labels = read_inputs(model, tokenizer(), given, 1).texts["source"].tokens
    assert labels[1:3] == ("image 0,0", "image 0,1")
    # The same while the model writes on, where every text of the batch has grown.
    grown = torch.tensor([[*text, 4] for text in texts])
    assert read_tokens(model, tokenizer(), grown, 1, given).tokens[1:3] == labels[1:3]


@pytest.mark.parametrize("name", ["ByT5Tokenizer", "PerceiverTokenizer"])
@pytest.mark.parametrize("text", ["é", "猫", "🙂"])
def test_the_bytes_of_a_character_are_joined(name: str, text: str) -> None:
    words = getattr(tf, name)()
    model = whole(tf.T5Model, _byte_model())
    w = AttentionWidget.from_model(model, words, f"a {text}")
    n = len(text.encode())
    ends = [words.cls_token] if name == "PerceiverTokenizer" else []
    assert list(w.tokens) == [
        *ends, "a", "␣", *(f"{text} {i}/{n}" for i in range(1, n + 1)),
        words.sep_token if ends else words.eos_token,
    ]  # fmt: skip


def _byte_model() -> Any:
    return tf.T5Config(
        vocab_size=400, d_model=32, d_kv=6, d_ff=24, num_layers=1, num_decoder_layers=1,
        num_heads=4, decoder_start_token_id=0,
    )  # fmt: skip


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    from attnwidget.sources.labels import labels

    words = tf.ByT5Tokenizer()
    first, second = words("é", add_special_tokens=False).input_ids
    assert labels(words, [first, words("a").input_ids[0], second]) == ("Ã", "a", "©")


@pytest.mark.parametrize(
    ("name", "config", "module"),
    [
        ("OwlViTModel", "owlvit", "text_model.encoder.layers.0.self_attn"),
        ("CLIPModel", "clip", "text_model.encoder.layers.0.self_attn"),
        ("T5EncoderModel", "t5", "encoder.block.0.layer.0.SelfAttention"),
        ("OPTModel", "opt", "decoder.layers.0.self_attn"),
        ("GPT2Model", "gpt2", "h.0.attn"),
        ("MllamaModel", "mllama", "language_model.layers.0.self_attn"),
    ],
)
def test_a_text_tower_is_known_by_its_words(name: str, config: str, module: str) -> None:
    """The labels are the text's, wherever a model keeps the vectors of its words."""
    with torch.device("meta"):
        model = getattr(tf, name)(tf.AutoConfig.for_model(config))
    assert dict(model.named_modules())[module] is not None
    inputs = {"input_ids": torch.tensor([TEXT])}
    assert stack_of(model, inputs, module, len(TEXT)) == tuple(WORDS[i - 2] for i in TEXT)


def test_a_sound_of_as_many_positions_as_its_text_is_no_text() -> None:
    """FastSpeech's decoder works on sound, and its words are in the encoder."""
    with torch.device("meta"):
        model = tf.FastSpeech2ConformerModel(tf.FastSpeech2ConformerConfig())
    inputs, place = {"input_ids": torch.tensor([TEXT])}, "conformer_layers.0.self_attn"
    assert dict(model.named_modules())[f"decoder.{place}"] is not None
    assert stack_of(model, inputs, f"decoder.{place}", len(TEXT), "encoder") == numbered(4)
