"""Which entry of a call's first axis belongs to the text that was asked for.

That axis holds the texts of a batch in most models. It holds windows in Swin, frames in
TimeSformer, images in a tower beside text. The inputs of Musicgen's decoder hold a row for each
codebook of a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnwidget.sources.image_tokens import image_token
from attnwidget.sources.stacks import is_tower

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# In this order: the first of them that an input has says how large the batch is.
_BATCHED = (
    "input_ids", "inputs_embeds", "decoder_input_ids", "pixel_values", "pixel_values_videos",
    "input_features", "input_values", "past_values", "query_embeds",
)  # fmt: skip
_PIXELS = ("pixel_values", "pixel_values_videos", "pixel_values_images")


@dataclass(frozen=True)
class Place:
    """Entry `at` of a call's first axis, the first of `share` entries of one text.

    `at` is None where `reason` says why the entry is not known.
    """

    at: int | None
    share: int = 1
    reason: str = ""


def batch_size(model: PreTrainedModel, inputs: Mapping[str, Any]) -> int:
    """Return how many texts, images or sounds `inputs` hold; 1 where nothing tells."""
    first = () if model.main_input_name in _PIXELS else (model.main_input_name,)
    for name in ("input_ids", "inputs_embeds", *first, *_BATCHED, *inputs):
        size = len(inputs[name]) if getattr(inputs.get(name), "ndim", 0) else 0
        if not size:
            continue
        if name in _PIXELS and inputs[name].ndim == 2:
            return 1  # patches of all images, packed (Qwen2-VL)
        return size // _codebooks(model) if name == "input_ids" else size
    return 1


def _codebooks(model: PreTrainedModel) -> int:
    """Return how many rows of a batch make one text: Musicgen's decoder reads several at once."""
    is_decoder = model.config.model_type in {"musicgen_decoder", "musicgen_melody_decoder"}
    return int(model.config.num_codebooks) if is_decoder else 1


class Rows:
    """The places of text `index` of a batch in the calls that `model` makes on `inputs`."""

    def __init__(self, model: PreTrainedModel, inputs: Mapping[str, Any], index: int) -> None:
        self._batch, self._index = batch_size(model, inputs), index
        self._model = model
        self._images = self._images_of(inputs)

    def place(self, module: str, rows: int) -> Place:
        """Return the place in a call of `module` whose first axis has `rows` entries."""
        if rows == 1:
            return Place(0)
        if self._images is not None and is_tower(self._model, module):
            count, first, share, reason = self._images
            if reason or rows % count:
                return Place(None, reason=reason or f"{rows} entries for {count} images")
            windows = rows // count
            return Place(first * windows, share * windows)
        if rows % self._batch:
            return Place(None, reason=f"{rows} entries for a batch of {self._batch}")
        share = rows // self._batch
        return Place(self._index * share, share)

    def _images_of(self, inputs: Mapping[str, Any]) -> tuple[int, int, int, str] | None:
        """Return the number of images, the first of the text, how many the text has, and a reason.

        The reason is "" where the images of the text are known. None where no images stand beside
        a text.
        """
        pixels = next((inputs[n] for n in _PIXELS if inputs.get(n) is not None), None)
        ids = inputs.get("input_ids")
        if pixels is None or ids is None or pixels.ndim < 4:
            return None
        count = len(pixels) * (pixels.shape[1] if pixels.ndim == 5 else 1)
        if count == self._batch:
            return count, self._index, 1, ""
        token = image_token(self._model)
        each = None if token is None else (ids == token).sum(dim=1)
        if each is None or not each.any():  # images and texts are compared, not mixed (CLIP)
            if self._index < count:
                return count, self._index, 1, ""
            return count, 0, 0, f"there is no image {self._index}, only {count} in all"
        if count % self._batch or (each != each[0]).any():
            reason = f"which of {count} images belong to text {self._index} is not known"
            return count, 0, 0, reason
        share = count // self._batch
        return count, self._index * share, share, ""
