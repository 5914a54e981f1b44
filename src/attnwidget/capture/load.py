"""A model and its tokenizer, by name or folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def load(name: str) -> tuple[Any, Any]:
    """Return the model and the tokenizer of a folder, or of a name that transformers knows.

    Raises
    ------
    ImportError
        Without ``attnwidget[models]``.
    OSError
        If there is no such model.
    """
    try:
        from transformers import AutoModel, AutoTokenizer, logging
    except ImportError:
        raise ImportError(
            'a model needs torch and transformers: pip install "attnwidget[models]"'
        ) from None
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return AutoModel.from_pretrained(name), AutoTokenizer.from_pretrained(name)
    except OSError as error:
        raise OSError(
            f"model: got {name!r}, want the folder of a model, or its name at the hub; "
            f"transformers says: {error}"
        ) from None


def pretrained(folder: Path) -> tuple[Any, Any]:
    """Return the language model of a folder in float32 and evaluation mode, and its tokenizer.

    Raises
    ------
    ImportError
        Without ``attnwidget[models]``.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ImportError(
            'a model needs torch and transformers: pip install "attnwidget[models]"'
        ) from None
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    # The folder is a place on this machine, and no name.
    model.config._name_or_path = ""
    return model, AutoTokenizer.from_pretrained(folder)
