"""Check the options of a model's `generate`, and refuse options that cannot be shown.

In the map of a generated text, each row is the attention that produced a token. Options under
which this does not hold are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_BEAMS = "beams change places while they are written"
_SEVERAL = "several tokens are written in one step"
_CACHE = "another cache may hold its keys at other places, or rounded"
# Each refused option: the values that are allowed (the usual value first), and the reason.
_REFUSED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "num_beams": ((1, None), _BEAMS),
    "constraints": ((None,), _BEAMS),
    "force_words_ids": ((None,), _BEAMS),
    "num_return_sequences": ((1, None), "one text is shown"),
    "guidance_scale": ((1, None), "each step mixes two passes, with the prompt and without it"),
    "penalty_alpha": ((None, 0), "contrastive search reads several next tokens in each step"),
    "dola_layers": ((None,), "a token comes from the difference of two layers' predictions"),
    "assistant_model": ((None,), "another model writes too"),
    "assistant_early_exit": ((None,), _SEVERAL),
    "prompt_lookup_num_tokens": ((None,), _SEVERAL),
    "use_mtp": ((False, None), _SEVERAL),
    "custom_generate": ((None,), "it is not known what a function of its own does in a step"),
    "token_healing": ((False, None), "the end of the text is written anew"),
    # transformers itself takes "hybrid" for the default cache.
    "cache_implementation": ((None, "dynamic", "hybrid"), _CACHE),
    "past_key_values": ((None,), _CACHE),
    "cache_params": ((None,), _CACHE),
}  # fmt: skip
_INPUTS = (
    "inputs", "input_ids", "attention_mask", "inputs_embeds", "decoder_input_ids",
    "decoder_attention_mask", "token_type_ids", "pixel_values", "input_features", "input_values",
)  # fmt: skip


def check_options(model: PreTrainedModel, options: Any, inputs: Any) -> None:
    """Raise an error if `model` cannot generate under `options`, or the text cannot be shown.

    The value of an option is taken, as in transformers, from the keywords, else from the keyword
    generation_config, else from the model's generation_config. A cache in `inputs` counts as an
    option.

    Raises
    ------
    TypeError
        If `options` is not a mapping, or an option has a wrong type.
    ValueError
        If an option cannot be shown (the message has the reason), or the model has no `generate`.
    """
    if not isinstance(options, Mapping):
        raise TypeError(
            f"generate: got {type(options).__name__}, want options of model.generate as a "
            'mapping, {"max_new_tokens": 20}'
        )
    if not model.can_generate():
        raise ValueError(
            f"generate: {type(model).__name__} can't generate text; want a model with a language "
            "modelling head"
        )
    _check_types(options)
    for name in _INPUTS:
        if name in options:
            raise ValueError(f"generate: got {name!r}, which is no option; want it in inputs=")
    given = inputs if isinstance(inputs, Mapping) else {}
    caches = {name: given[name] for name in ("past_key_values", "cache_params") if name in given}
    for name, (allowed, reason) in _REFUSED.items():
        value, place = _value_of(model, {**caches, **options}, name)
        if not any(value is choice or value == choice for choice in allowed):
            is_plain = isinstance(value, (str, int, float))
            got = repr(value) if is_plain else f"a {type(value).__name__}"
            raise ValueError(f"generate: {name} is {got}{place}, want {allowed[0]!r}: {reason}")


def _check_types(options: Mapping[str, Any]) -> None:
    from transformers import GenerationConfig

    config = options.get("generation_config")
    if config is not None and not isinstance(config, GenerationConfig):
        raise TypeError(
            f"generate: generation_config is {type(config).__name__}, want a GenerationConfig, or "
            "the options themselves in generate={...}"
        )
    criteria = options.get("stopping_criteria")
    functions = criteria if isinstance(criteria, (list, tuple)) else [criteria]
    if criteria is not None and not all(callable(function) for function in functions):
        raise TypeError(
            f"generate: stopping_criteria is {type(criteria).__name__}, want a function of "
            "(input_ids, scores) or a list of such functions"
        )


def _value_of(model: PreTrainedModel, options: Mapping[str, Any], name: str) -> tuple[Any, str]:
    """Return the value of an option, and text that names the place of the value."""
    if name in options:
        return options[name], ""
    value = getattr(options.get("generation_config"), name, None)
    if value is not None:
        return value, " in generation_config"
    return getattr(model.generation_config, name, None), " in model.generation_config"
