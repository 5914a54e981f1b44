"""Label the positions of a text that belong to an image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attnwidget.capture.patches import (
    Labels,
    grid_labels,
    image_grid,
    joined_images,
    merged_images,
    numbers,
    tower_labels,
)


def image_token(model: Any) -> int | None:
    """Return the id of an image token in the texts of `model`, None if there is no such id."""
    for name in ("image_token_id", "image_token_index"):
        token = getattr(model.config, name, None)
        if isinstance(token, int):
            return token
    return None


def image_places(
    model: Any, inputs: Mapping[str, Any], rows: Sequence[Sequence[int]]
) -> dict[int, str]:
    """Return the labels of the image tokens of a text, by position.

    `rows` are the ids of the earlier texts of the batch, and last the ids of the text. The label is
    "image row,column" if the order of the image's tokens is known, else "image" and the number of
    the token among the image tokens.
    """
    mask, token = inputs.get("image_embeds_position_mask"), image_token(model)
    if mask is not None:  # Kosmos-2 puts latent queries at the masked positions
        places = [i for i, is_image in enumerate(mask[len(rows) - 1].tolist()) if is_image]
        return {place: f"image {i}" for i, place in enumerate(places)}
    if token is None:
        return {}
    places = [i for i, token_id in enumerate(rows[-1]) if token_id == token]
    before = sum(token_id == token for ids in rows[:-1] for token_id in ids)
    names = _names(model.config, inputs, before, len(places)) or numbers(len(places))
    return {place: f"image {name}" for place, name in zip(places, names, strict=True)}


def _names(config: Any, inputs: Mapping[str, Any], before: int, n: int) -> Labels | None:
    """Return labels of the `n` image tokens of a text; earlier texts have `before` image tokens."""
    known = IN_TEXT.get(config.model_type)
    if known is None or not n:
        return None
    return known(config, inputs, before, n)


def _merged(config: Any, inputs: Mapping[str, Any], before: int, n: int) -> Labels | None:
    """Qwen2-VL: a token for each block of patches, images of any size one behind the other."""
    if inputs.get("image_grid_thw") is None:
        return None
    merge = config.vision_config.spatial_merge_size
    sizes = [(t, h // merge, w // merge) for t, h, w in inputs["image_grid_thw"].tolist()]
    images = merged_images(sizes, 1)
    ends = [0]
    for image in images:
        ends.append(ends[-1] + len(image))
    if before not in ends or before + n not in ends:
        return None
    return joined_images(images[ends.index(before) : ends.index(before + n)])


def _alike(
    label_image: Callable[[Any, Mapping[str, Any]], Labels | None],
) -> Callable[..., Labels | None]:
    """Return the labeller of equally large images, each labelled by `label_image`."""

    def labels(config: Any, inputs: Mapping[str, Any], _before: int, n: int) -> Labels | None:
        image = label_image(config, inputs)
        if not image or n % len(image):
            return None
        return joined_images([image] * (n // len(image)))

    return labels


def _of_tower(config: Any, inputs: Mapping[str, Any]) -> Labels | None:
    """LLaVA and PaliGemma: the positions of the image tower, without its CLS where it says so."""
    rows, columns = image_grid(config.vision_config, inputs)
    names = tower_labels(rows * columns + 1, config.vision_config, inputs, "")
    names = names or tower_labels(rows * columns, config.vision_config, inputs, "")
    if names is None or getattr(config, "vision_feature_select_strategy", "full") == "full":
        return names
    return names[1:]  # "default" drops the first position, whatever it is


def _pooled(config: Any, inputs: Mapping[str, Any]) -> Labels | None:
    """Gemma 3: the mean of each block of patches, in a square."""
    side = math.isqrt(config.mm_tokens_per_image)
    return grid_labels(side, side)


def _shuffled(config: Any, inputs: Mapping[str, Any]) -> Labels | None:
    """Idefics3 and SmolVLM: a token for each block of patches; tiles are images of their own."""
    rows, columns = image_grid(config.vision_config, inputs)
    return grid_labels(rows // config.scale_factor, columns // config.scale_factor)


IN_TEXT: dict[str, Callable[..., Labels | None]] = {
    "llava": _alike(_of_tower),
    "paligemma": _alike(_of_tower),
    "gemma3": _alike(_pooled),
    "idefics3": _alike(_shuffled),
    "smolvlm": _alike(_shuffled),
    "qwen2_vl": _merged,
    "qwen2_5_vl": _merged,
}
