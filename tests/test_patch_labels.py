"""Labels of positions that are no text: proved by an input with one odd patch.

The model itself says where a patch is: it runs on an input and on the same input with one odd
patch, and the position that changes in front of the first attention layer is that of the patch.
"""

from __future__ import annotations

import pytest
import torch
from mixed import MIXED, TEXT
from models import WORDS
from odd_patches import changed, entering, labels_of, odd, stack_of
from towers import SOUNDS, TOWERS

from attnwidget.capture.image_tokens import IN_TEXT
from attnwidget.capture.patches import TOWERS as KNOWN
from attnwidget.capture.source import ModelSource


@pytest.mark.parametrize("name", TOWERS)
def test_an_odd_patch_changes_the_position_with_its_label(name: str) -> None:
    tower = TOWERS[name]
    model = tower.make()
    labels, module = labels_of(ModelSource.capture(model, None, inputs=tower.inputs), tower.stack)
    plain = entering(model, module, tower.inputs)
    assert len(labels) == len(plain)
    for label, place in tower.patches.items():
        at = changed(plain, entering(model, module, odd(tower.inputs, tower.name, place)))
        assert [labels[i] for i in at] == [label]
    rest = [label for label in labels if label not in tower.patches]
    assert rest == [*tower.extras, *tower.silent] or set(rest) == {*tower.extras, *tower.silent}
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", [name for name, tower in TOWERS.items() if tower.extras])
def test_an_extra_position_changes_with_its_own_parameter(name: str) -> None:
    tower = TOWERS[name]
    model = tower.make()
    labels, module = labels_of(ModelSource.capture(model, None, inputs=tower.inputs), tower.stack)
    plain = entering(model, module, tower.inputs)
    for parameter, row in set(tower.extras.values()):
        values = dict(model.named_parameters())[
            next(n for n, _ in model.named_parameters() if n.split(".")[-1] == parameter)
        ].data
        rows = values.view(-1, values.shape[-1])
        kept = rows[row].clone()
        rows[row] += torch.linspace(-2, 3, len(kept))
        at = changed(plain, entering(model, module, tower.inputs))
        rows[row] = kept
        wanted = [label for label, extra in tower.extras.items() if extra == (parameter, row)]
        assert [labels[i] for i in at] == wanted


@pytest.mark.parametrize("name", MIXED)
def test_text_and_image_in_one_sequence_are_told_apart(name: str) -> None:
    mixed = MIXED[name]
    model = mixed.make()
    plain = entering(model, mixed.module, mixed.inputs)
    labels = stack_of(model, mixed.inputs, mixed.module, len(plain))
    words = []
    for i, token in enumerate(TEXT if "input_ids" in mixed.inputs else []):
        row = mixed.inputs["input_ids"].clone()
        row[row == token] = 13 + i  # no other token of the text is 13 or more
        other = {**mixed.inputs, "input_ids": row}
        words.append(WORDS[token - 2])
        at = changed(plain, entering(model, mixed.module, other))
        assert [labels[i] for i in at] == [words[-1]]
    for label, places in mixed.patches.items():
        for place in places:
            other = odd(mixed.inputs, mixed.name, place)
            at = changed(plain, entering(model, mixed.module, other))
            assert [labels[i] for i in at] == [label]
    assert sorted(labels) == sorted([*words, *mixed.patches, *mixed.rest])


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_changes_the_frame_with_its_number(name: str) -> None:
    sound = SOUNDS[name]
    model = sound.make()
    tensor = next(iter(sound.inputs))
    plain = entering(model, sound.module, sound.inputs)
    labels = stack_of(model, sound.inputs, sound.module, len(plain), sound.stack)
    for i in range(len(plain)):
        heard = entering(model, sound.module, odd(sound.inputs, tensor, sound.frame(i), 30))
        if sound.reach is None:
            assert labels[int((heard - plain).abs().sum(-1).argmax())] == f"frame {i}"
        else:
            near = [j for j in range(len(plain)) if abs(j - i) * sound.step <= sound.reach]
            assert [labels[at] for at in changed(plain, heard)] == [f"frame {j}" for j in near]


def test_every_tower_that_is_known_is_proved() -> None:
    proved = {name.partition(" ")[0] for name in TOWERS} | {*SOUNDS}
    assert {*IN_TEXT} <= {name.partition(",")[0].partition(" ")[0] for name in MIXED}
    assert {*KNOWN} - proved == {"layoutlmv3", "qwen2_vl_vision"}, "proved by tests of their own"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("swin", "the first window is shown"),
        ("sam_vision_model windows", "the first window is shown"),
        ("timesformer space", "the first frame and the first patch are shown"),
    ],
)
def test_a_map_of_a_part_says_so(name: str, part: str) -> None:
    tower = TOWERS[name]
    assert part in ModelSource.capture(tower.make(), None, inputs=tower.inputs).notice


@pytest.mark.parametrize("name", ["timesformer joint", "vit"])
def test_a_map_of_everything_needs_no_notice(name: str) -> None:
    tower = TOWERS[name]
    assert ModelSource.capture(tower.make(), None, inputs=tower.inputs).notice == ""
