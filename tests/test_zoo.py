"""Every entry of the zoo: weights equal eager attention, outputs are unchanged, nothing is hidden.

The entries are in tests/zoo. Each model is built once and each capture is made once.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from zoo.common import (
    ENTRIES,
    ROWS,
    captured,
    expected,
    inputs_of,
    model_of,
    pairs,
    plain_output,
    stacks_of,
    tensors,
)

from attnwidget.sources.model import ModelSource

SHOWN = [name for name, entry in ENTRIES.items() if not entry.refused]
CASES = [
    (name, how)
    for name in SHOWN
    for how in ("plain", "padded")
    if how == "plain" or ENTRIES[name].padded is not None
]
# torch uses other kernels for these under capture, so outputs differ by rounding; with the reason.
ROUNDED: dict[str, tuple[float, str]] = {}


@pytest.mark.parametrize(("name", "how"), CASES)
def test_weights_equal_eager_attention(name: str, how: str) -> None:
    for row in ROWS:
        for layer, ours, theirs in pairs(name, how, row):
            error = float(np.abs(ours - theirs).max())
            assert error <= ENTRIES[name].tolerance, f"row {row}, {layer.module}: {error:.2g}"


@pytest.mark.parametrize("name", SHOWN)
def test_attention_differs_between_keys_and_between_rows(name: str) -> None:
    # Uniform weights, or the same weights in both rows, would hide a mistake.
    first, second = (pairs(name, "plain", row) for row in ROWS)
    for (layer, one, _), (_, other, _) in zip(first, second, strict=True):
        assert np.ptp(one, axis=-1).max() > 0.02, layer.module
        assert one.shape != other.shape or np.abs(one - other).max() > 1e-3, layer.module


@pytest.mark.parametrize(("name", "how"), CASES)
def test_the_capture_leaves_the_outputs_as_they_are(name: str, how: str) -> None:
    plain = tensors(plain_output(name, how))
    assert plain
    for row in ROWS:
        under_capture = tensors(captured(name, how, row)[1])
        assert under_capture.keys() == plain.keys()
        for part, wanted in plain.items():
            got = under_capture[part]
            if name in ROUNDED:
                torch.testing.assert_close(got, wanted, rtol=0, atol=ROUNDED[name][0])
            else:
                gap = (got.double() - wanted.double()).abs()
                equal = torch.equal(torch.nan_to_num(got), torch.nan_to_num(wanted))
                assert equal, f"row {row}, {part}: differs by {gap.max():.2g}"


@pytest.mark.parametrize("name", SHOWN)
def test_stacks_are_complete_or_the_notice_says_what_is_missing(name: str) -> None:
    source, _ = captured(name, "plain", 0)
    assert stacks_of(source) == dict(ENTRIES[name].stacks)
    for words in ENTRIES[name].not_shown:
        assert words in source.notice, source.notice
    # Weights that eager attention has must be shown, or the notice names the module's class.
    shown = {layer.module for layer in source.layers}
    model = model_of(name)
    for module, _ in expected(name, "plain"):
        if module not in shown:
            assert type(model.get_submodule(module)).__name__ in source.notice, module


@pytest.mark.parametrize(("name", "how"), CASES)
def test_no_layer_fails_the_proof(name: str, how: str) -> None:
    for row in ROWS:
        for layer in captured(name, how, row)[0].layers:
            assert getattr(layer, "proved", None) in (True, None), f"row {row}, {layer.module}"


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.refused])
def test_a_refusal_says_why(name: str) -> None:
    with pytest.raises(ValueError) as raised:
        ModelSource.capture(model_of(name), None, inputs=inputs_of(name, "plain"))
    assert ENTRIES[name].refused in str(raised.value)
