"""AttentionWidget: how one is made, and what it can be asked."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from attnwidget.sources.given import GivenSource
from attnwidget.sources.lab import LabSource
from attnwidget.sources.outputs import read_outputs
from attnwidget.widget.asking import AttentionAsking
from attnwidget.widget.keywords import refuse_unknown
from attnwidget.widget.live import Growing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike

    from attnwidget.sources.api import Source
    from attnwidget.widget.comparison import AttentionComparison

_STATIC = Path(__file__).parents[1] / "static"


def _static(name: str, without: str) -> Any:
    """Return a trait of a built file's text; of a checkout that was never built, a line says so.

    With ``ANYWIDGET_HMR=1`` it is the path: anywidget then watches the file and reloads it. For a
    path, anywidget connects each widget to the watcher and never disconnects it, so that no widget
    would be freed after it is closed.
    """
    path = _STATIC / name
    if not path.exists():
        text = without % "attnwidget was not built: run `make build`"
    elif os.environ.get("ANYWIDGET_HMR") == "1":
        return path
    else:
        text = path.read_text(encoding="utf-8")
    return traitlets.Unicode(text).tag(sync=True)


class AttentionWidget(AttentionAsking):
    """Self-attention of a sentence, live: click a cell, and that query no longer sees that key.

    Parameters
    ----------
    sentence_or_tokens:
        A sentence, split at whitespace and punctuation, or a list of n tokens.
    key_tokens:
        For cross-attention: the n_k tokens that keys and values come from, n where None.
    embeddings, key_embeddings:
        X, (n, d_model), and what the keys are made from, (n_k, d_model). Drawn uniformly from
        [0, 1) by `seed` where not given.
    d_model, d_k, d_v, n_heads:
        Sizes; 4, d_model // n_heads, d_k and 1 where neither said nor given by an array.
    seed:
        For NumPy's legacy generator, as in the course lab.
    init:
        How W_q, W_k and W_v are drawn: "uniform" as in the lab, "normal", "identity",
        "orthogonal" (Saxe et al. 2013, arXiv 1312.6120).
    positional:
        "none", "sinusoidal" (Vaswani et al. 2017), "rotary" (Su et al. 2021, arXiv 2104.09864)
        or "alibi" (Press et al. 2021, arXiv 2108.12409).
    W_q, W_k, W_v:
        Projections (d_model, d_k), (d_model, d_k), (d_model, d_v); several heads: a leading
        axis h.
    Q, K, V:
        Given directly: (n, d_k), (n, d_k), (n, d_v); they stay until their inputs are set.
    mask:
        True (or any of 1, -1, -inf, <= -1e4) where a query may not see a key; (n,), (1, n) or
        (n_q, n_k). See `attnwidget.maths.masks.as_mask`.
    presets:
        Masks with names, on top of `mask`: any of "causal", "padding", "window", "prefix",
        "block", or a mapping with parameters such as ``{"window": 2}``.
        See `attnwidget.maths.presets.check_presets`.
    scale:
        What Q Kᵀ is multiplied with; 1/√d_k where None (Vaswani et al. 2017, arXiv 1706.03762).
    temperature:
        What the scores are divided by before the softmax; 0 is the argmax limit.
    title, cmap, color_scale, quantity, view:
        What is shown, and how: see `VIEWS`, `CMAPS`, `COLOR_SCALES`, `QUANTITIES` in
        `attnwidget.widget.traits`.

    Raises
    ------
    TypeError, ValueError
        For anything that doesn't fit, naming the argument, what was got and what is wanted.
    """

    _esm = _static("widget.js", "export default { render({ el }) { el.textContent = %r } }")
    _css = _static("widget.css", "/* %s */")
    _anywidget_id = traitlets.Unicode("attnwidget.widget.widget.AttentionWidget").tag(sync=True)

    def __init__(
        self,
        sentence_or_tokens: str | Iterable[str],
        *,
        key_tokens: str | Iterable[str] | None = None,
        embeddings: ArrayLike | None = None,
        key_embeddings: ArrayLike | None = None,
        d_model: int | None = None,
        d_k: int | None = None,
        d_v: int | None = None,
        n_heads: int | None = None,
        seed: int = 0,
        init: str = "uniform",
        positional: str = "none",
        W_q: ArrayLike | None = None,
        W_k: ArrayLike | None = None,
        W_v: ArrayLike | None = None,
        Q: ArrayLike | None = None,
        K: ArrayLike | None = None,
        V: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        presets: Any = None,
        scale: float | None = None,
        temperature: float = 1.0,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
        quantity: str = "attention",
        view: str = "heatmap",
        **unknown: Any,
    ) -> None:
        refuse_unknown(type(self).__init__, unknown)
        source = LabSource.create(
            sentence_or_tokens,
            key_tokens=key_tokens,
            d_model=d_model,
            d_k=d_k,
            d_v=d_v,
            n_heads=n_heads,
            seed=seed,
            init=init,
            positional=positional,
            scale=scale,
            temperature=temperature,
            embeddings=embeddings,
            key_embeddings=key_embeddings,
            W_q=W_q,
            W_k=W_k,
            W_v=W_v,
            Q=Q,
            K=K,
            V=V,
        )
        shown = {"cmap": cmap, "color_scale": color_scale, "quantity": quantity, "view": view}
        self._open(source, mask=mask, presets=presets, title=title, **shown)

    @classmethod
    def from_model(
        cls,
        model: Any,
        tokenizer: Any = None,
        text: str | tuple[str, str] | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        tokenize: Mapping[str, Any] | None = None,
        generate: Mapping[str, Any] | None = None,
        batch_index: int = 0,
        strict: bool = False,
        kind: str | None = None,
        layer: int | None = None,
        head: int = 0,
        large: bool = False,
        mask: ArrayLike | None = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
        quantity: str = "attention",
        view: str = "heatmap",
        **unknown: Any,
    ) -> AttentionWidget:
        """Open a Hugging Face model on `text`: one forward pass, every layer and head.

        `model` may be a wrapper inside of which the model computes the same: of torch.compile,
        DataParallel or PEFT (LoRA), a SentenceTransformer or a pipeline, which bring their own
        tokenizer along. `tokenizer` may be a processor. `text` is a str, or a pair as a tuple:
        two sentences, or what an encoder-decoder reads and what it writes. `tokenize` are
        options of the tokenizer's call, such as ``{"truncation": True, "max_length": 128}``;
        without them nothing is cut off.

        `inputs` in place of a text is what the model is called with: tensors, NumPy arrays or
        lists by name (pixels, sounds, a padded batch of which `batch_index` is shown), or the
        token ids alone, (n,) or (batch, n); without a tokenizer, positions name the tokens.

        With `generate`, options of ``model.generate`` such as ``{"max_new_tokens": 20}``, the
        model writes on, and the map grows by a row a token: what the model looked at when it
        wrote the next one. In a notebook the widget is on screen meanwhile; an interrupt ends
        the writing and keeps what is there.

        `kind` is the stack shown: "self" in a single stack, "encoder", "decoder" or "cross" in an
        encoder-decoder, "vision" or "audio" in a tower beside text. Q, K and V are those of the
        shown `layer` (the model's own index; the first one where None) and `head`, after
        rotation. What the model itself masks is shown as masked and locked; what flows into an
        attention sink has a column of its own. An edited mask recomputes this head's attention
        and output only. The model is left exactly as it was found.

        A map goes to the page whole, with about 10 bytes a cell, and so does each other map that
        is looked at. Above 1,000,000 cells the notice states the megabytes; above 8,000,000
        cells, `large` has to be True. The widget of such a map sends nothing before it is
        displayed; its `weights`, of any rows and columns, need no page.

        Raises
        ------
        TypeError, ValueError
            For a model, tokenizer, text, layer or head that can't be shown, saying what can.
        ImportError
            Without ``attnwidget[models]``.
        """
        from attnwidget.capture.source import ModelSource
        from attnwidget.capture.unwrap import unwrapped

        refuse_unknown(cls.from_model, unknown)
        if not isinstance(large, bool):
            raise TypeError(f"large: got {large!r}, want True or False")
        model, tokenizer = unwrapped(model, tokenizer)
        state: dict[str, Any] = {
            "large": large,
            "layer": layer,
            "head": head,
            "mask": mask,
            "title": title,
            "cmap": cmap,
        }
        state |= {"color_scale": color_scale, "quantity": quantity, "view": view}
        read: dict[str, Any] = {"inputs": inputs, "batch_index": batch_index, "tokenize": tokenize}
        read["strict"] = strict
        if generate is not None:
            from attnwidget.capture.generate import write

            shown = Growing(lambda source: cls._of(source, **state), kind, large)
            return shown.last(write(model, tokenizer, text, generate, shown.grow, **read))
        source = ModelSource.capture(model, tokenizer, text, **read)
        return cls._of(source if kind is None else source.of(kind), **state)

    @classmethod
    def from_arrays(
        cls,
        attention: ArrayLike,
        tokens: str | Iterable[str],
        key_tokens: str | Iterable[str] | None = None,
        *,
        layer: int = 0,
        head: int = 0,
        mask: ArrayLike | None = None,
        presets: Any = None,
        title: str | None = None,
        cmap: str = "viridis",
        color_scale: str = "unit",
        view: str = "heatmap",
        **unknown: Any,
    ) -> AttentionWidget:
        """Show weights that were computed elsewhere: NumPy, torch or JAX arrays, or lists.

        `attention` is (n_q, n_k), (h, n_q, n_k) or (l, h, n_q, n_k), after the softmax. Rows that
        don't sum to 1 are shown as they are, and a notice says so. A masked cell's weight goes to
        the rest of its row, which keeps the sum that it came with; `scores` are log(attention).

        Raises
        ------
        TypeError, ValueError
            For weights that are negative, NaN, or don't fit the tokens.
        """
        refuse_unknown(cls.from_arrays, unknown)
        source = GivenSource.create(attention, tokens, key_tokens)
        shown = {"title": title, "cmap": cmap, "color_scale": color_scale, "view": view}
        return cls._of(source, mask=mask, presets=presets, layer=layer, head=head, **shown)

    @classmethod
    def from_outputs(
        cls,
        outputs: Any,
        tokens: str | Iterable[str],
        key_tokens: str | Iterable[str] | None = None,
        *,
        kind: str | None = None,
        batch_index: int = 0,
        **shown: Any,
    ) -> AttentionWidget:
        """Show attentions that a transformers model has returned: all its layers and heads.

        `outputs` is what the model returned under ``output_attentions=True``, or its tuple of
        tensors, one a layer, (b, h, n_q, n_k). Of an encoder-decoder, `kind` is "encoder",
        "decoder" or "cross". What else is `shown` is as in `from_arrays`.

        Raises
        ------
        TypeError, ValueError
            For outputs without weights (what to do is said), of the wrong rank, or with NaN.
        """
        weights = read_outputs(outputs, kind, batch_index)
        return cls.from_arrays(weights, tokens, key_tokens, **shown)

    @staticmethod
    def compare(a: AttentionWidget, b: AttentionWidget, /, **shown: Any) -> AttentionComparison:
        """Show the attention of `a`, of `b` and what changed, B - A, side by side.

        Two texts are aligned by token, two models of the same tokens cell by cell; both have the
        same layer and head, which `shown` may name: see `attnwidget.widget.comparison`.

        Raises
        ------
        TypeError, ValueError
            For what is no AttentionWidget, or has no layer or no token in common.
        """
        from attnwidget.widget.comparison import AttentionComparison

        return AttentionComparison(a, b, **shown)

    @classmethod
    def _of(cls, source: Source, **state: Any) -> AttentionWidget:
        self = cls.__new__(cls)
        self._open(source, **state)
        return self

    def add_traits(self, **traits: Any) -> None:
        """Add the traits that the widget does not have yet.

        anywidget adds `_esm`, `_css` and an id to each widget, and traitlets makes a class for each
        widget that is added to: half of the time that a widget takes. This class has these traits.
        """
        new = {name: trait for name, trait in traits.items() if not self.has_trait(name)}
        if new:
            super().add_traits(**new)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait; a name that is nearly one is a slip, not a new attribute."""
        if not name.startswith("_") and not hasattr(type(self), name):
            near = difflib.get_close_matches(name, self.trait_names(), n=1)
            if near:
                raise AttributeError(f"the widget has no {name!r}; did you mean {near[0]!r}?")
        super().__setattr__(name, value)
