"""Labels for the positions of image, video and sound towers.

`TOWERS` lists the towers by the `model_type` of the tower's config. If a tower is not listed, or
has another number of positions than the list gives, its positions are numbered. A patch has the
label "row,column", a patch of a video "frame:row,column", a patch of a spectrogram
"frequency,time". `tests/test_patch_labels.py` proves the order of each tower.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Labels = tuple[str, ...]
# The label of an extra position, or a word and the attribute of the config that counts them.
Extra = str | tuple[str, str]


@dataclass(frozen=True)
class Tower:
    """A tower: its `config`, the model's `inputs`, and the name of its first attention `module`."""

    config: Any
    inputs: Mapping[str, Any]
    module: str


def tower_labels(n: int, config: Any, inputs: Mapping[str, Any], module: str) -> Labels | None:
    """Return labels for the `n` positions of the tower that has `config`; None if not known.

    `module` is the qualified name of the tower's first attention module, which tells the stages
    of a tower apart.
    """
    model_type = getattr(config, "model_type", "")
    # The decoder of a masked autoencoder has the encoder's config, but other positions.
    if model_type not in TOWERS or "decoder" in module.split("."):
        return None
    tower = Tower(config, inputs, module)
    return next((labels for labels in TOWERS[model_type](tower, n) if len(labels) == n), None)


def numbers(n: int) -> Labels:
    """Return "0", "1", ...: the labels of `n` positions of unknown meaning."""
    return tuple(map(str, range(n)))


def grid_labels(rows: int, columns: int) -> Labels:
    """Return "0,0", "0,1", ...: the patches of a grid, row by row."""
    return tuple(f"{r},{c}" for r in range(rows) for c in range(columns))


def merged_images(sizes: Iterable[tuple[int, int, int]], merge: int) -> list[Labels]:
    """Return the labels of the patches of each image (frames, rows, columns) of Qwen2-VL.

    The patches of an image come in blocks of `merge` x `merge`, block by block.
    """
    images = []
    for frames, rows, columns in sizes:
        places = [
            (r + i, c + j)
            for r in range(0, rows, merge)
            for c in range(0, columns, merge)
            for i in range(merge)
            for j in range(merge)
        ]
        one_frame = tuple(f"{r},{c}" for r, c in places)
        images.append(one_frame if frames == 1 else _numbered(range(frames), one_frame))
    return images


def joined_images(images: list[Labels]) -> Labels:
    """Return the labels of several images in one sequence, "image:row,column" if several."""
    if len(images) == 1:
        return images[0]
    return tuple(f"{i}:{label}" for i, image in enumerate(images) for label in image)


def _numbered(prefixes: Iterable[Any], labels: Iterable[str]) -> Labels:
    labels = tuple(labels)
    return tuple(f"{prefix}:{label}" for prefix in prefixes for label in labels)


def image_grid(config: Any, inputs: Mapping[str, Any]) -> tuple[int, int]:
    """Return the numbers of rows and columns of patches of an image, (0, 0) for an unknown size."""
    height, width = _image_size(inputs)
    down, across = _pair(getattr(config, "patch_size", None))
    return (height // down, width // across) if down and across else (0, 0)


def _image_size(inputs: Mapping[str, Any]) -> tuple[int, int]:
    """Return the height and width of the images or videos in `inputs`, (..., height, width)."""
    given = [inputs.get(name) for name in ("pixel_values", "pixel_values_videos")]
    sizes = {tuple(map(int, p.shape[-2:])) for p in given if p is not None and p.ndim >= 4}
    return sizes.pop() if len(sizes) == 1 else (0, 0)  # type: ignore[return-value]


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return int(size[0]), int(size[1])
    return 0, 0


def _image(tower: Tower) -> Labels:
    return grid_labels(*image_grid(tower.config, tower.inputs))


def _video(tower: Tower) -> Labels:
    """Return the tubelets of a video (batch, frames, channels, height, width), frame by frame."""
    pixels = tower.inputs.get("pixel_values")
    if pixels is None or pixels.ndim != 5:
        return ()
    size = tower.config.tubelet_size
    long, *sides = [size, *_pair(tower.config.patch_size)] if isinstance(size, int) else size
    frames, (height, width) = pixels.shape[1] // long, pixels.shape[-2:]
    return _numbered(range(frames), grid_labels(height // sides[0], width // sides[1]))


def _spectrogram(tower: Tower) -> Labels:
    """Return the patches of a spectrogram (batch, time, frequency), which may overlap."""
    sound, config = tower.inputs.get("input_values"), tower.config
    if sound is None or sound.ndim != 3:
        return ()
    time, frequency = sound.shape[1:]
    return grid_labels(
        (frequency - config.patch_size) // config.frequency_stride + 1,
        (time - config.patch_size) // config.time_stride + 1,
    )


def _line(
    *before: Extra, patches: Callable[[Tower], Labels] = _image, after: tuple[Extra, ...] = ()
) -> Callable[[Tower, int], list[Labels]]:
    """Return the labeller of a tower with extra positions `before` and `after` its patches."""

    def labels(tower: Tower, _n: int) -> list[Labels]:
        names = patches(tower)
        if not names:
            return []
        return [(*_extras(before, tower.config), *names, *_extras(after, tower.config))]

    return labels


def _extras(extras: tuple[Extra, ...], config: Any) -> Labels:
    labels: list[str] = []
    for extra in extras:
        if isinstance(extra, str):
            labels.append(extra)
        else:
            word, attribute = extra
            labels += [f"{word} {i + 1}" for i in range(getattr(config, attribute))]
    return tuple(labels)


def _tiles(tower: Tower, n: int) -> list[Labels]:
    """Mllama: the tiles of an image one behind the other, each filled up to a multiple of 8."""
    pixels, names = tower.inputs.get("pixel_values"), ("CLS", *_image(tower))
    if pixels is None or pixels.ndim != 6 or len(names) == 1:
        return []
    padding = tuple(f"padding {i + 1}" for i in range(-len(names) % 8))
    tiles = int(pixels.shape[2])
    return [_numbered(range(tiles), (*names, *padding))]


def _windows(tower: Tower, n: int) -> list[Labels]:
    """Swin: every layer attends inside windows, and the first window of the image is shown."""
    sides = range(1, int(tower.config.window_size) + 1)
    return [_numbered(["w0"], grid_labels(side, side)) for side in sides]


def _some_windows(tower: Tower, n: int) -> list[Labels]:
    """SAM: some layers attend inside windows, some to the whole image."""
    whole, side = image_grid(tower.config, tower.inputs), int(tower.config.window_size)
    window = _numbered(["w0"], grid_labels(side, side))
    if whole[0] * whole[1] == len(window):  # Layers of both kinds would share their labels.
        return [grid_labels(*whole)] if whole == (side, side) else []
    return [grid_labels(*whole), window]


def _frames_apart(tower: Tower, n: int) -> list[Labels]:
    """TimeSformer: time and space are attended in turn: one patch over frames, one frame's patches.

    The first patch and the first frame are shown, as their labels say.
    """
    pixels, patches = tower.inputs.get("pixel_values"), _image(tower)
    if pixels is None or pixels.ndim != 5 or not patches:
        return []
    frames = range(int(pixels.shape[1]))
    if tower.config.attention_type == "joint_space_time":
        return [("CLS", *(f"{t}:{patch}" for patch in patches for t in frames))]
    if "temporal_attention" in tower.module:
        return [_numbered(frames, patches[:1])]
    return [("CLS", *_numbered([0], patches))]


def _stages(tower: Tower, n: int) -> list[Labels]:
    """Segformer: stages of fewer and fewer patches that overlap; keys are blocks of patches."""
    config, stage = tower.config, re.search(r"\.(\d+)\.", tower.module)
    rows, columns = _image_size(tower.inputs)
    if stage is None or not rows:
        return []
    at = int(stage[1])
    for size, stride in zip(config.patch_sizes[: at + 1], config.strides, strict=False):
        rows, columns = ((side + 2 * (size // 2) - size) // stride + 1 for side in (rows, columns))
    block = config.sr_ratios[at]
    return [grid_labels(rows, columns), _blocks(rows // block, columns // block, block)]


def _blocks(rows: int, columns: int, size: int) -> Labels:
    def span(i: int) -> str:
        return f"{i * size}-{i * size + size - 1}"

    return tuple(f"{span(r)},{span(c)}" for r in range(rows) for c in range(columns))


def _packed(tower: Tower, n: int) -> list[Labels]:
    """Qwen2-VL: the patches of all images in one sequence."""
    sizes = tower.inputs.get("image_grid_thw")
    if sizes is None or tower.inputs.get("video_grid_thw") is not None:
        return []
    return [joined_images(merged_images(sizes.tolist(), tower.config.spatial_merge_size))]


def _frames(tower: Tower, n: int) -> list[Labels]:
    """Sound: one position behind the other in time, and nothing else."""
    return [tuple(f"frame {i}" for i in range(n))]


_SOUND = (
    "whisper", "wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat",
    "wav2vec2-conformer", "speech_to_text", "moonshine", "qwen2_audio_encoder",
)  # fmt: skip
_WITH_CLS = (
    "vit", "vit_msn", "beit", "data2vec-vision", "dinov2", "clip_vision_model",
    "chinese_clip_vision_model", "altclip_vision_model", "clipseg_vision_model",
    "owlvit_vision_model", "owlv2_vision_model", "blip_vision_model", "blip_2_vision_model",
    "instructblip_vision_model", "flava_image_model", "git_vision_model", "kosmos_2_vision_model",
)  # fmt: skip
_WITHOUT = ("siglip_vision_model", "idefics3_vision", "smolvlm_vision", "ijepa")
_SWIN = ("swin", "swinv2", "donut-swin", "maskformer-swin")
_REGISTERS = ("register", "num_register_tokens")

TOWERS: dict[str, Callable[[Tower, int], list[Labels]]] = {
    **dict.fromkeys(_WITH_CLS, _line("CLS")),
    **dict.fromkeys(_WITHOUT, _line()),
    **dict.fromkeys(("dinov2_with_registers", "dinov3_vit"), _line("CLS", _REGISTERS)),
    "deit": _line("CLS", "distillation"),
    "yolos": _line("CLS", after=(("detection", "num_detection_tokens"),)),
    "layoutlmv3": _line("CLS"),
    "audio-spectrogram-transformer": _line("CLS", "distillation", patches=_spectrogram),
    "vivit": _line("CLS", patches=_video),
    "videomae": _line(patches=_video),
    "timesformer": _frames_apart,
    "mllama_vision_model": _tiles,
    **dict.fromkeys(_SWIN, _windows),
    "sam_vision_model": _some_windows,
    "segformer": _stages,
    "qwen2_vl_vision": _packed,
    **dict.fromkeys(_SOUND, _frames),
}

_IN_WINDOWS = (
    "Layers attend inside windows of the image; the first window is shown: w0:1,2 is row 1 and "
    "column 2 of window 0."
)
# The notice for towers whose maps show only a part of a layer's attention.
_PARTS = {
    **dict.fromkeys((*_SWIN, "sam_vision_model"), _IN_WINDOWS),
    "timesformer": (
        "Layers attend inside one frame, or from frame to frame inside one patch; the first frame "
        "and the first patch are shown."
    ),
}


def part_shown(config: Any) -> str:
    """Return the sentence on the part of the input that a tower's maps show; "" for the whole."""
    if getattr(config, "attention_type", "") == "joint_space_time":
        return ""
    return _PARTS.get(getattr(config, "model_type", ""), "")
