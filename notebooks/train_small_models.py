"""Train the small models of the notebooks and of `attnwidget.demo`, and write them to their folders.

    python notebooks/train_small_models.py [one_head] [four_heads] [reverses] [oddone]

Each takes one to four minutes on one core and always starts from the same seed. The weights are
stored in half precision; the notebook reads them as float32.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
)

from attnwidget.demo.training import RATE, STEPS, WARMUP, WORDS, batch, new_model, optimised

MODELS = Path(__file__).parent / "models"
DEMO = Path(__file__).parents[1] / "src" / "attnwidget" / "demo"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
QUADRANTS = ("top left", "top right", "bottom left", "bottom right")
PATCH, GRID = 4, 6

Batch = dict[str, torch.Tensor]


def train(
    model: PreTrainedModel, batch: Callable[[int], Batch], steps: int, warmup: int, rate: float
) -> None:
    """Train on ``batch(step)`` as `attnwidget.demo.training` does, and print the loss."""
    model.train()
    for step, loss in enumerate(optimised(model, batch, steps, warmup, rate), 1):
        if step % 100 == 0:
            print(f"  step {step}: loss {loss:.4f}", flush=True)
    model.eval()
    print(f"  right on new data: {accuracy(model, batch):.4f}")


@torch.inference_mode()
def accuracy(model: PreTrainedModel, batch: Callable[[int], Batch]) -> float:
    """Return the share of correct predictions in batches drawn after training."""
    right = total = 0
    for step in range(16):
        inputs = batch(step)
        predicted, labels = model(**inputs).logits.argmax(-1), inputs["labels"]
        if not model.config.is_encoder_decoder and labels.ndim == 2:
            # A decoder predicts the next token.
            predicted, labels = predicted[:, :-1], labels[:, 1:]
        right += int((predicted == labels).sum())
        total += int((labels != -100).sum())
    return right / total


def one_head() -> tuple[PreTrainedModel, Any]:
    """Return the induction model of one head a layer."""
    return induction(n_heads=1)


def four_heads() -> tuple[PreTrainedModel, Any]:
    """Return the induction model of four heads a layer, several of which copy."""
    return induction(n_heads=4)


def induction(n_heads: int) -> tuple[PreTrainedModel, Any]:
    """Words that come again and again in the same order, as in `attnwidget.demo.training`."""
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model = new_model(n_heads)
    train(model, lambda _: batch(), steps=STEPS[n_heads], warmup=WARMUP, rate=RATE)
    return model, PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?")


def reverses() -> tuple[PreTrainedModel, Any]:
    """T5's shape: it reads letters and writes them backwards."""
    special = ["<pad>", "</s>", "<unk>"]
    vocabulary = {token: i for i, token in enumerate([*special, *LETTERS])}
    letters = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    letters.pre_tokenizer = pre_tokenizers.Split(Regex(""), "isolated")
    letters.decoder = decoders.Fuse()
    letters.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    config = T5Config(
        vocab_size=len(vocabulary), d_model=64, d_kv=32, d_ff=128, num_layers=2, num_heads=2,
        relative_attention_num_buckets=32, relative_attention_max_distance=32, dropout_rate=0,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)

    def batch(step: int, count: int = 64) -> Batch:
        n = 3 + step % 8
        ids = torch.randint(len(special), len(vocabulary), (count, n))
        end = torch.ones(count, 1, dtype=torch.long)
        return {
            "input_ids": torch.cat([ids, end], dim=1),
            "labels": torch.cat([ids.flip(1), end], dim=1),
        }

    train(model, batch, steps=2500, warmup=100, rate=3e-3)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    return model, tokenizer


def stripes(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (count, 1, 24, 24), the place of the odd patch in each, and its quadrant.

    Every patch has stripes, all upright and one level, or the other way round, in noise.
    """
    upright = torch.tensor([1.0, -1.0, 1.0, -1.0]).repeat(PATCH, 1)
    common = torch.randint(0, 2, (count, 1)).bool()
    odd = torch.randint(0, GRID * GRID, (count,))
    which = common.expand(count, GRID * GRID).clone()
    which[torch.arange(count), odd] ^= True
    patches = torch.where(which[..., None, None], upright, upright.T)
    grid = patches.view(count, GRID, GRID, PATCH, PATCH).transpose(2, 3)
    image = grid.reshape(count, 1, GRID * PATCH, GRID * PATCH)
    quadrant = 2 * (odd // GRID >= GRID // 2) + (odd % GRID >= GRID // 2)
    return image + 0.3 * torch.randn_like(image), odd, quadrant


def oddone() -> tuple[PreTrainedModel, Any]:
    """ViT's shape: in which quarter of the image is the patch that is unlike the others?"""
    config = ViTConfig(
        image_size=GRID * PATCH, patch_size=PATCH, num_channels=1, hidden_size=32,
        intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        hidden_dropout_prob=0, attention_probs_dropout_prob=0,
        id2label=dict(enumerate(QUADRANTS)), label2id={q: i for i, q in enumerate(QUADRANTS)},
    )  # fmt: skip
    model = ViTForImageClassification(config)

    def batch(_: int) -> Batch:
        image, _, quadrant = stripes(64)
        return {"pixel_values": image, "labels": quadrant}

    train(model, batch, steps=1500, warmup=100, rate=3e-3)
    return model, None


def main(names: list[str]) -> None:
    known = {
        "one_head": (DEMO, one_head), "four_heads": (DEMO, four_heads),
        "reverses": (MODELS, reverses), "oddone": (MODELS, oddone),
    }  # fmt: skip
    torch.set_num_threads(1)
    for name in names or list(known):
        print(name, flush=True)
        start = time.perf_counter()
        torch.manual_seed(0)
        folder, make = known[name]
        model, tokenizer = make()
        model.half().save_pretrained(folder / name)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder / name)
        print(f"  {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
