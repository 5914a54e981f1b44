"""A model and its tokenizer by name or folder, for the command line."""

from __future__ import annotations

from typing import Any


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
