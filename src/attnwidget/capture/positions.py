"""Labels for the positions of an attention stack: the tokens of a text, the patches of an image.

The label of a position of unknown meaning is its number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnwidget.capture.patches import numbers, part_shown, tower_labels
from attnwidget.sources.api import Text

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attnwidget.capture.inputs import Reading

# Modules whose positions are not the text's tokens, even if the numbers of both are equal.
_NO_TEXT_MODULE = re.compile(
    r"visn|visual|vision|image|img|patch|pixel|latent|quer|qformer|audio|speech|resampler|perceiver",
    re.IGNORECASE,
)
_NO_TEXT_TYPE = re.compile(r"qformer|perceiver|musicgen\w*_decoder")


def shared_tokens(
    part: str, n: int, reading: Reading, model: PreTrainedModel, modules: Sequence[str]
) -> tuple[tuple[str, ...], Text | None]:
    """Return the labels that all attention `modules` of a stack have, and their text.

    Two towers may share a stack, because their maps have the same size. If the labels of the towers
    differ, or the modules are not known, the positions are numbered.
    """
    # The names of the layers of a tower differ only in numbers.
    towers = {re.sub(r"\d+", "", module): module for module in modules}
    labels = {stack_tokens(part, n, reading, model, module) for module in towers.values()}
    return labels.pop() if len(labels) == 1 else (numbers(n), None)


def parts_shown(model: PreTrainedModel, modules: Sequence[str]) -> str:
    """Return a sentence for each tower of which only a part is shown, "" if there is none."""
    sentences = [part_shown(_tower_config(model, module)) for module in modules]
    return " ".join(dict.fromkeys(filter(None, sentences)))


def stack_tokens(
    part: str, n: int, reading: Reading, model: PreTrainedModel, module: str = ""
) -> tuple[tuple[str, ...], Text | None]:
    """Return labels for the `n` positions of a stack, and the text with these labels.

    `part` is the part of the stack's `StackId`. `module` is the qualified name of the stack's first
    attention module. The nearest module around it that has a config gives the tower's config. The
    text is None for patches, frames and numbers.
    """
    config, inputs = _tower_config(model, module), {**reading.inputs, **reading.own}
    text = reading.texts.get("target" if part == "decoder" else "source")
    if text is not None:
        beside = _beside_image(n, text, config, inputs, model) if part == "self" else None
        if beside is not None and len(beside.tokens) == n:
            return beside.tokens, beside
        if len(text.tokens) == n and _reads_text(part, config, model, module):
            return text.tokens, text
    return tower_labels(n, config, inputs, module) or numbers(n), None


def _around(model: PreTrainedModel, module: str) -> list[Any]:
    """Return the module named `module` and the modules that contain it, up to the model."""
    path: list[Any] = [model]
    for name in module.split("."):
        inner = path[-1]._modules.get(name)
        if inner is None:  # BigBird makes modules while it runs.
            break
        path.append(inner)
    return path[::-1]


def _tower_config(model: PreTrainedModel, module: str) -> Any:
    configs = (getattr(part, "config", None) for part in _around(model, module))
    return next(c for c in configs if isinstance(getattr(c, "model_type", None), str))


def _reads_text(part: str, config: Any, model: PreTrainedModel, module: str) -> bool:
    """Return whether the positions of the stack come from embeddings of token ids."""
    import torch

    if part not in {"self", "encoder", "decoder"} or _NO_TEXT_TYPE.search(config.model_type):
        return False
    if _NO_TEXT_MODULE.search(module):
        return False
    for owner in _around(model, module):
        own = [child for name, child in owner.named_children() if "embed" in name]
        inner = [child for outer in own for child in (outer, *outer.children())]
        has_words = any(_is_vocabulary(child, config) for child in inner)
        if not hasattr(owner, "get_input_embeddings"):
            if has_words:
                return True
            continue
        try:
            words = owner.get_input_embeddings()
        except (NotImplementedError, AttributeError):  # OwlViT's text tower does not say.
            return has_words
        return isinstance(words, torch.nn.Embedding) or _is_vocabulary(words, config)
    return False


def _is_vocabulary(module: Any, config: Any) -> bool:
    """Return whether a module holds a vector for each word of the vocabulary of `config`."""
    words, weight = getattr(config, "vocab_size", None), getattr(module, "weight", None)
    named = "Embedding" in type(module).__name__
    return named and words is not None and getattr(weight, "shape", ())[:1] == (words,)


def _beside_image(
    n: int, text: Text, config: Any, inputs: Mapping[str, Any], model: PreTrainedModel
) -> Text | None:
    """Return the sequence of a model that puts its text beside the patches of an image."""
    pixels, n_image = inputs.get("pixel_values"), n - len(text.tokens)
    if pixels is None or n_image <= 0:
        return None
    if config.model_type == "git":
        images = int(pixels.shape[1]) if pixels.ndim == 5 else 1
        patches = tower_labels(n_image // images, config.vision_config, inputs, "")
        patches = patches or numbers(n_image // images)
        of_images = (f"{i}:{label}" for i in range(images) for label in patches)
        return _put(text, before=tuple(of_images) if images > 1 else patches)
    if config.model_type == "layoutlmv3":
        return _put(text, after=tower_labels(n_image, config, inputs, "") or numbers(n_image))
    if config.model_type == "vilt":  # draws its patches in random order
        return _put(text, after=("CLS", *numbers(n_image)[1:]))
    if config.model_type == "flava_multimodal_model":
        first = 1 if config.use_cls_token else 0
        tower = getattr(model.config, "image_config", None)
        image = tower_labels(n_image - first, tower, inputs, "")
        whole = _put(text, before=image or numbers(n_image - first))
        return whole if not first else _shifted(whole, "CLS")
    return None


def _put(text: Text, before: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Text:
    """Return `text` with the positions of an image before or after it."""
    front, back = (tuple(f"image {label}" for label in labels) for labels in (before, after))
    no_words: tuple[int | None, ...] = (None,)
    special = text.special or (False,) * len(text.tokens)
    words = text.words or (-1,) * len(text.tokens)
    return Text(
        (*front, *text.tokens, *back),
        ((False,) * len(front) + special + (False,) * len(back)),
        (no_words * len(front) + words + no_words * len(back)),
        None if text.second is None else text.second + len(front),
    )


def _shifted(text: Text, first: str) -> Text:
    return Text(
        (first, *text.tokens),
        (True, *text.special),
        (None, *text.words),
        None if text.second is None else text.second + 1,
    )
