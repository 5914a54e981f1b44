"""Options of a model's `generate`: which of them leave each row what produced one token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_BEAMS = "beams change places while they are written"
_SEVERAL = "several tokens are written in one step"
_CACHE = "another cache may hold its keys at other places, or rounded"
# Each option under which a row is not what produced a token, or the steps are not one text's;
# the values under which it changes nothing, the usual one first; and the reason.
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
    """Raise where `model` can't write under `options`, or what it writes can't be shown.

    An option is looked for as transformers does: among the keywords, then in the keyword
    generation_config, then in the model's own generation_config. `inputs` are looked into for a
    cache.

    Raises
        TypeError: for options that are no mapping, or of a wrong type.
        ValueError: for an option that can't be shown, with the reason, and for a model without
            `generate`.
    """
    if not isinstance(options, Mapping):
        raise TypeError(
            f"generate: got {type(options).__name__}, want options of model.generate as a "
            'mapping, {"max_new_tokens": 20}'
        )
    if not model.can_generate():
        raise ValueError(f"generate: {type(model).__name__} doesn't write; want one with a head")
    _check_types(options)
    for name in _INPUTS:
        if name in options:
            raise ValueError(f"generate: got {name!r}, which is no option; want it in inputs=")
    given = inputs if isinstance(inputs, Mapping) else {}
    caches = {name: given[name] for name in ("past_key_values", "cache_params") if name in given}
    for name, (harmless, reason) in _REFUSED.items():
        value, where = _asked(model, {**caches, **options}, name)
        if not any(value is one or value == one for one in harmless):
            plain = isinstance(value, (str, int, float))
            shown = repr(value) if plain else f"a {type(value).__name__}"
            raise ValueError(f"generate: {name} is {shown}{where}, want {harmless[0]!r}: {reason}")


def _check_types(options: Mapping[str, Any]) -> None:
    from transformers import GenerationConfig

    config = options.get("generation_config")
    if config is not None and not isinstance(config, GenerationConfig):
        raise TypeError(
            f"generate: generation_config is {type(config).__name__}, want a GenerationConfig, or "
            "the options themselves in generate={...}"
        )
    criteria = options.get("stopping_criteria")
    listed = criteria if isinstance(criteria, (list, tuple)) else [criteria]
    if criteria is not None and not all(callable(one) for one in listed):
        raise TypeError(
            f"generate: stopping_criteria is {type(criteria).__name__}, want a function of "
            "(input_ids, scores) or a list of such functions"
        )


def _asked(model: PreTrainedModel, options: Mapping[str, Any], name: str) -> tuple[Any, str]:
    """Return the value of an option, and the words that say where it stands."""
    if name in options:
        return options[name], ""
    value = getattr(options.get("generation_config"), name, None)
    if value is not None:
        return value, " in generation_config"
    return getattr(model.generation_config, name, None), " in model.generation_config"
