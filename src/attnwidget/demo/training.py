"""The training of the demonstration models, which can be run again in about a minute.

An induction head forms within a few dozen steps: the head of layer 1 begins to look at the word
after the last occurrence of the present word (prefix matching), and at the same steps the model
begins to predict that word (copying). This is the phase change of Olsson et al. 2022, arXiv
2209.11895.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from attnwidget.maths.validate import index, size

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

WORDS = [
    "?", "ant", "ape", "ash", "axe", "bag", "bat", "bay", "bed", "bee", "bell", "boat", "bone",
    "book", "bowl", "bread", "brick", "cake", "cat", "cave", "clock", "cloud", "coat", "cow",
    "crow", "cup", "deer", "desk", "dog", "door", "drum", "duck", "egg", "elm", "fig", "fish",
    "flag", "fly", "fog", "fox", "frog", "gate", "goat", "hat", "hill", "ice", "jam", "key", "kite",
    "lamp", "leaf", "moon", "nest", "oak", "owl", "pear", "pig", "pond", "rain", "ring", "rose",
    "ship", "snow", "star", "tree",
]  # fmt: skip
LENGTH = 32
#: The steps of the training of each model, by its number of heads.
STEPS = {1: 700, 4: 2000}
WARMUP, RATE = 100, 3e-3

Batch = dict[str, "torch.Tensor"]


def training(
    n_heads: int = 1, every: int = 25, steps: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Train a demonstration model, and yield the step and the model at step 0 and every `every`.

    The model is the same object at each step, in evaluation mode; the last step is yielded too.
    Seed, words and batches are those of `induction_model`, so that the training ends with its
    weights, up to rounding. It takes about a minute for one head a layer, three for four heads.
    `steps` ends the training earlier. The state of torch's random numbers stays as it is::

        for step, model in training():
            if step == 0:
                w = AttentionWidget.from_model(model, tokenizer, text, layer=1)
            w.keep_checkpoint(step)

    Raises
    ------
    TypeError, ValueError
        If `n_heads` is neither 1 nor 4, or `every` or `steps` is not a number above 0.
    ImportError
        Without ``attnwidget[models]``.
    """
    n_heads = index("n_heads", n_heads, sorted(STEPS))
    every, whole = size("every", every), STEPS[n_heads]
    last = whole if steps is None else size("steps", steps, at_most=whole, why="it ends there")
    return _training(n_heads, every, last, whole)


def _training(n_heads: int, every: int, last: int, whole: int) -> Iterator[tuple[int, Any]]:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = new_model(n_heads)
        draw = torch.Generator()
        draw.set_state(torch.get_rng_state())
    steps = optimised(model, lambda _: batch(draw), whole, WARMUP, RATE)
    yield 0, model.eval()
    for step in range(1, last + 1):
        with _one_thread(), torch.enable_grad():
            model.train()
            next(steps)
        if step % every == 0 or step == last:
            yield step, model.eval()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread, because sums of several threads round in another order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def optimised(
    model: PreTrainedModel, batch: Callable[[int], Batch], steps: int, warmup: int, rate: float
) -> Iterator[float]:
    """Train with AdamW on ``batch(step)``, and yield the loss of each step.

    The rate is warmed up, then goes down along a cosine.
    """
    import torch
    from transformers.optimization import get_cosine_schedule_with_warmup

    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    for step in range(steps):
        loss = model(**batch(step)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield loss.item()


def new_model(n_heads: int) -> PreTrainedModel:
    """Return a model before the training: GPT-2's shape, two layers."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=len(WORDS), n_positions=LENGTH, n_embd=64, n_layer=2, n_head=n_heads,
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def batch(draw: Any = None, count: int = 128) -> Batch:
    """Return texts of words that come again and again in the same order, with their labels.

    `draw` is a generator of torch's random numbers, None for torch's own.
    """
    import torch

    top = len(WORDS)
    ids = torch.empty(count, LENGTH, dtype=torch.long)
    labels = torch.full((count, LENGTH), -100)
    for row in range(count):
        period = int(torch.randint(2, 15, (), generator=draw))
        offset = int(torch.randint(0, 4, (), generator=draw))
        before = torch.randint(1, top, (offset,), generator=draw)
        again = torch.randperm(top - 1, generator=draw)[:period] + 1
        ids[row] = torch.cat([before, again.repeat(LENGTH // period + 1)])[:LENGTH]
        # The first round cannot be predicted, and neither can its end.
        labels[row, offset + period + 1 :] = ids[row, offset + period + 1 :]
    return {"input_ids": ids, "labels": labels}


class InductionScores(NamedTuple):
    """How far a model has an induction head.

    `prefix_matching` is the mean weight that the head of layer 1 gives to the word after the last
    occurrence of the present word, in the head where it is largest (Olsson et al. 2022, arXiv
    2209.11895). `copying` is the mean probability of this word as the next word.
    """

    prefix_matching: float
    copying: float


def induction_scores(model: PreTrainedModel, count: int = 64, seed: int = 1) -> InductionScores:
    """Return the scores of a demonstration model on `count` texts that it was not trained on."""
    import torch

    texts = batch(torch.Generator().manual_seed(seed), count)
    ids, is_known = texts["input_ids"], texts["labels"][:, 1:] >= 0
    attention = model.transformer.h[1].attn
    inputs: list[Any] = []
    hook = attention.c_attn.register_forward_hook(lambda _m, _args, output: inputs.append(output))
    try:
        with torch.no_grad():
            chances = model(ids).logits.softmax(-1)[:, :-1]
    finally:
        hook.remove()
    q, k, _ = (part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
               for part in inputs[0].split(attention.split_size, dim=-1))  # fmt: skip
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    scores = (q @ k.mT * attention.head_dim**-0.5).masked_fill(later, -torch.inf)
    weights = scores.softmax(-1)
    # Of each query, the key after the last occurrence of the query's word.
    same = (ids[:, :, None] == ids[:, None, :]).tril(-1)
    last = (same * torch.arange(1, LENGTH + 1)).amax(-1)
    match = weights.gather(-1, last[:, None, :, None].expand(-1, attention.num_heads, -1, -1))
    by_head = (match[..., :-1, 0] * is_known[:, None]).sum(dim=(0, 2)) / is_known.sum()
    copied = chances.gather(-1, ids[:, 1:, None])[..., 0][is_known].mean()
    return InductionScores(float(by_head.max()), float(copied))
