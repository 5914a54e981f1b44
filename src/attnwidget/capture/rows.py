"""Find the entry of a call's first axis that belongs to the text shown.

In most models this axis has the texts of a batch. In Swin it has windows, in TimeSformer frames, in
a tower beside text images. The inputs of Musicgen's decoder have a row for each codebook of a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnwidget.capture.arrange import is_tower
from attnwidget.capture.image_tokens import image_token

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# The first of these names that is in the inputs tells the size of the batch.
_BATCHED = (
    "input_ids", "inputs_embeds", "decoder_input_ids", "pixel_values", "pixel_values_videos",
    "input_features", "input_values", "past_values", "query_embeds",
)  # fmt: skip
# Models that search for several texts in each image.
_SEARCH = ("owlvit", "owlv2")
_OF_CODEBOOKS = ("musicgen_decoder", "musicgen_melody_decoder")
_PIXELS = ("pixel_values", "pixel_values_videos", "pixel_values_images")


@dataclass(frozen=True)
class Place:
    """Entry `at` of a call's first axis, which is the first of the `share` entries of a text.

    If the entry is not known, `at` is None and `reason` is the reason.
    """

    at: int | None
    share: int = 1
    reason: str = ""


def batch_size(model: PreTrainedModel, inputs: Mapping[str, Any]) -> int:
    """Return the number of texts, images or sounds in `inputs`; 1 if it is not known."""
    main = model.main_input_name
    pixels = _pixels(inputs)
    is_main = main in _PIXELS and image_token(model) is None
    if pixels is not None and pixels.ndim > 3 and (is_main or model.config.model_type in _SEARCH):
        return len(pixels)
    ids = inputs.get("input_ids")
    if pixels is not None and ids is not None and pixels.ndim == 4 and image_token(model) is None:
        return max(len(ids), len(pixels))  # CLIP compares any texts with any images
    for name in ("input_ids", "inputs_embeds", main, *_BATCHED, *inputs):
        size = len(inputs[name]) if getattr(inputs.get(name), "ndim", 0) else 0
        if not size:
            continue
        if name in _PIXELS and inputs[name].ndim == 2:
            return 1  # patches of all images, packed (Qwen2-VL)
        return size // _codebooks(model) if name == "input_ids" else size
    return 1


def _codebooks(model: PreTrainedModel) -> int:
    """Return the number of rows of ids for a text; more than 1 for Musicgen's decoder."""
    is_decoder = model.config.model_type in _OF_CODEBOOKS
    return int(model.config.num_codebooks) if is_decoder else 1


def of_codebooks(model: PreTrainedModel, text: str) -> bool:
    """Return whether the ids of `text`, "source" or "target", are ids of codebooks."""
    config: Any = model.config if text == "source" else getattr(model.config, "decoder", None)
    return getattr(config, "model_type", None) in _OF_CODEBOOKS


def packed_images(
    model: PreTrainedModel, inputs: Mapping[str, Any], index: int
) -> tuple[int, int] | None:
    """Return the first image of text `index` in packed patches, and the first image after them.

    Qwen2-VL runs the patches of all images of all texts as a single sequence. None if the patches
    are not packed, or the images of the text are not known.
    """
    grid, ids, token = inputs.get("image_grid_thw"), inputs.get("input_ids"), image_token(model)
    vision = getattr(model.config, "vision_config", None)
    merge = getattr(vision, "spatial_merge_size", None)
    if grid is None or ids is None or token is None or merge is None:
        return None
    ends = [0]
    for frames, rows, columns in grid.tolist():
        ends.append(ends[-1] + frames * (rows // merge) * (columns // merge))
    each = (ids == token).sum(dim=1).tolist()
    before, behind = sum(each[:index]), sum(each[: index + 1])
    if before not in ends or behind not in ends:
        return None
    return ends.index(before), ends.index(behind)


def own_images(model: PreTrainedModel, inputs: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Return the sizes of the packed images of text `index`, by the name of the input."""
    images = packed_images(model, inputs, index)
    return {} if images is None else {"image_grid_thw": inputs["image_grid_thw"][slice(*images)]}


def _segments(
    model: PreTrainedModel, inputs: Mapping[str, Any], index: int
) -> tuple[int, int, int] | None:
    """Return the first frame of text `index` in packed patches, the first after it, and the total.

    None for a single text, which has all frames.
    """
    images = packed_images(model, inputs, index)
    if images is None or batch_size(model, inputs) == 1:
        return None
    frames = inputs["image_grid_thw"][:, 0].tolist()
    first, behind = (sum(frames[:image]) for image in images)
    return first, behind, sum(frames)


class Rows:
    """The places of text `index` of a batch in the calls that `model` makes on `inputs`."""

    def __init__(self, model: PreTrainedModel, inputs: Mapping[str, Any], index: int) -> None:
        self._batch, self._index = batch_size(model, inputs), index
        self._model = model
        ids = inputs.get("input_ids")
        self._texts = 0 if ids is None else len(ids)
        self._images = self._images_of(inputs)
        self.segments = _segments(model, inputs, index)

    def place(self, module: str, rows: int) -> Place:
        """Return the place in a call of `module` whose first axis has `rows` entries."""
        if rows == 1:
            return Place(0)
        if self._images is not None and is_tower(self._model, module):
            count, first, share, reason = self._images
            if rows == self._batch and share:
                return Place(self._index)
            if reason or rows % count:
                return Place(None, reason=reason or f"it has {rows} entries for {count} images")
            windows = rows // count
            return Place(first * windows, share * windows)
        if rows % self._batch and self._images is not None and rows == self._texts:
            return (
                Place(self._index) if self._index < rows else Place(None, reason=self._lack(rows))
            )
        if rows % self._batch:
            return Place(None, reason=f"it has {rows} entries for a batch of {self._batch}")
        share = rows // self._batch
        return Place(self._index * share, share)

    def _lack(self, texts: int) -> str:
        return f"there is no text {self._index}, only {texts} in all"

    def _images_of(self, inputs: Mapping[str, Any]) -> tuple[int, int, int, str] | None:
        """Return the number of images, the text's first image, its number of images, and a reason.

        The reason is "" if the images of the text are known. None if there are no images beside a
        text.
        """
        pixels, ids = _pixels(inputs), inputs.get("input_ids")
        if pixels is None or ids is None or pixels.ndim < 4:
            return None
        each = int(pixels.shape[1]) if pixels.ndim == 5 else 1
        count = len(pixels) * each
        if len(pixels) == self._batch:
            return count, self._index * each, each, ""
        token = image_token(self._model)
        tokens = None if token is None else (ids == token).sum(dim=1)
        if tokens is None or not tokens.any():  # images and texts are compared, not mixed (CLIP)
            if self._index < len(pixels):
                return count, self._index * each, each, ""
            return count, 0, 0, f"there is no image {self._index}, only {len(pixels)} in all"
        if count % self._batch or (tokens != tokens[0]).any():
            reason = f"which of {count} images belong to text {self._index} is not known"
            return count, 0, 0, reason
        share = count // self._batch
        return count, self._index * share, share, ""


def _pixels(inputs: Mapping[str, Any]) -> Any:
    return next((inputs[name] for name in _PIXELS if inputs.get(name) is not None), None)
