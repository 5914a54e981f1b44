"""Every entry of the zoo: weights equal eager attention, outputs are unchanged, nothing is hidden.

The entries are in tests/zoo. Each model is built once and each capture is made once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from zoo.common import (
    ENTRIES,
    ROWS,
    capture,
    captured,
    expected,
    inputs_of,
    model_of,
    pairs,
    plain_output,
    run,
    stacks_of,
    tensors,
)
from zoo.oracle import eager_copy

from attnwidget.capture.source import ModelSource

SHOWN = [name for name, entry in ENTRIES.items() if not entry.refused]
CASES = [
    (name, how)
    for name in SHOWN
    for how in ("plain", "padded")
    if how == "plain" or ENTRIES[name].padded is not None
]
# Uniform by construction: in layer 0 of X-CLIP the class token is the same in all frames.
UNIFORM = {"vision_model.encoder.layers.0.message_attn"}
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
        if layer.module in UNIFORM:
            continue
        assert np.ptp(one, axis=-1).max() > 0.02, layer.module
        assert one.shape != other.shape or np.abs(one - other).max() > 1e-3, layer.module


@pytest.mark.parametrize(("name", "how"), CASES)
def test_the_capture_leaves_the_outputs_as_they_are(name: str, how: str) -> None:
    for row in ROWS:
        assert_unchanged(name, captured(name, how, row)[1], plain_output(name, how))


@pytest.mark.parametrize("name", SHOWN)
def test_a_model_that_was_loaded_with_eager_attention_keeps_it(name: str) -> None:
    # sdpa in the place of eager gets another mask, and other roundings.
    how = "plain" if ENTRIES[name].padded is None else "padded"
    model, inputs = eager_copy(model_of(name)), inputs_of(name, how)
    assert_unchanged(name, capture(model, inputs, 1)[1], run(model, inputs))


def assert_unchanged(name: str, under_capture: Any, plain: Any) -> None:
    """Assert that two outputs of the model are equal, bit for bit."""
    got, wanted = tensors(under_capture), tensors(plain)
    assert wanted
    assert got.keys() == wanted.keys()
    for part, tensor in wanted.items():
        if name in ROUNDED:
            torch.testing.assert_close(got[part], tensor, rtol=0, atol=ROUNDED[name][0])
        else:
            gap = (got[part].double() - tensor.double()).abs()
            equal = torch.equal(torch.nan_to_num(got[part]), torch.nan_to_num(tensor))
            assert equal, f"{part}: differs by {gap.max():.2g}"


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


@pytest.mark.parametrize("name", ["granite", "xglm", "funnel", "pegasus", "t5gemma"])
def test_the_oracle_has_what_the_model_itself_records(name: str) -> None:
    # transformers' own record, which knows no module names, and not every model has.
    model = eager_copy(model_of(name))
    with torch.no_grad():
        output = model(
            **inputs_of(name, "plain"),
            output_attentions=True,
            **({} if name == "funnel" else {"use_cache": False}),
        )
    kinds = [kind for kind in output if kind.endswith("attentions")]
    recorded = [weights for kind in kinds for weights in output[kind]]
    mine = list(expected(name, "plain").values())
    assert len(recorded) == len(mine) >= 3
    for weights in recorded:
        assert any(torch.equal(weights, other) for other in mine)
