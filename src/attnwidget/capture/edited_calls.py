"""Edit the attention calls of a module: change the rows of its result that knock-outs touch.

A module that takes its attention function from transformers' AttentionInterface gets the function's
result with changed rows. In a module that computes attention by itself, the result of the softmax
(or of torch's fused attention) is changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnwidget.capture.edited_rows import Edits, Scores, edit_rows
from attnwidget.capture.intercept import Attended, editing
from attnwidget.capture.multihead import NAME as MULTI_HEAD
from attnwidget.capture.recognise import always_asks_interface, head_count
from attnwidget.capture.records import VISUAL, is_hidden
from attnwidget.capture.supported import check_kwargs
from attnwidget.sources.knockouts import KnockOut

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SDPA = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


class _Run(threading.local):
    """The state of a run of a module in a thread, because several threads may run the model.

    `cached` is the number of tokens in the cache, None without a cache. `before` is the number of
    queries of the calls before in this run, because Qwen2-VL calls attention for each image.
    `is_edited` says whether a call of this run was edited.
    """

    cached: int | None = None
    before: int = 0
    is_edited: bool = False


@dataclass(eq=False)
class Place:
    """An attention module of the model, with its knock-outs.

    `copies` has a list of knock-outs for each copy of the text in a batch. A single list holds for
    every text of the batch. If `is_of_thread`, the edits hold in the thread that makes them, and in
    no other thread.
    """

    module: Any
    name: str
    is_cross: bool
    number: int | None
    copies: list[list[KnockOut]] = field(default_factory=lambda: [[]])
    run: _Run = field(default_factory=_Run)
    is_of_thread: bool = False

    @property
    def knockouts(self) -> list[KnockOut]:
        """The knock-outs of all copies."""
        return [edit for copy in self.copies for edit in copy]

    def edits(self, n_q: int, n_k: int) -> list[Edits]:
        """Return the knock-outs of each copy for a call with `n_q` queries and `n_k` keys.

        Raises
        ------
        ValueError
            If a mean over the queries is wanted, and the call has only the newest of them.
        """
        self.run.is_edited = True
        cached = self.run.cached
        if VISUAL in self.name:
            first_query = first_key = self.run.before
            self.run.before += n_q
        elif self.is_cross:
            # The cache has the queries of this call already, because the decoder's own attention
            # comes first.
            first_query, first_key = max(0, (cached or n_q) - n_q), 0
        else:
            first_query = cached or 0
            # A sliding window leaves the oldest keys out.
            first_key = max(0, first_query + n_q - n_k)
        if cached and first_query and any(edit.kind == "mean" for edit in self.knockouts):
            raise ValueError(
                f'knockouts: the kind "mean" needs all queries of {self.name} in one pass, and the '
                "model goes on from a cache; want use_cache=False"
            )
        return [Edits(copy, first_query, first_key) for copy in self.copies]

    @contextmanager
    def edited(self, model: PreTrainedModel) -> Iterator[None]:
        """Edit each call of the module until the context ends."""

        def begin(_module: Any, args: Any, kwargs: Mapping[str, Any]) -> None:
            self.run.cached = _cached((*args, *kwargs.values()), self.number or 0)
            self.run.before = 0
            self.run.is_edited = False

        me = threading.get_ident()

        def is_edited() -> bool:
            return not self.is_of_thread or threading.get_ident() == me

        def edit(attended: Attended) -> Any:
            if not is_edited():
                return attended.output
            check_kwargs(model, self.name, attended.options)
            return _edited_output(self, attended)

        with ExitStack() as contexts:
            hook = self.module.register_forward_pre_hook(begin, with_kwargs=True)
            contexts.callback(hook.remove)
            if always_asks_interface(self.module):
                contexts.enter_context(editing(self.module, edit))
            else:
                contexts.enter_context(_functions_edited(self, is_edited))
            yield


def _cached(arguments: Sequence[Any], layer: int) -> int | None:
    """Return how many tokens of a layer the cache among `arguments` has, None without a cache."""
    for value in arguments:
        cache = getattr(value, "self_attention_cache", value)
        if hasattr(cache, "get_seq_length"):
            return int(cache.get_seq_length(layer))
    return None


# The result of a function of the AttentionInterface


def _edited_output(place: Place, attended: Attended) -> Any:
    scores = _scores_of(attended)
    _, h, n_q, n_k = scores.shape
    is_pair = isinstance(attended.output, (tuple, list))
    first, *others = attended.output if is_pair else (attended.output,)
    # A copy, because autograd may need the output of the function.
    output = first.clone()
    maps = others[0].clone() if others and others[0] is not None else None
    rows_of = _by_head(output, attended)
    if rows_of is None:
        raise ValueError(f"knockouts: the output of {place.name} has an unknown layout")

    def put(texts: slice, head: int, rows: Any, weights: Any) -> None:
        value = attended.value[texts, head * attended.value.shape[1] // h]
        rows_of[texts, head, rows] = (weights @ value.to(weights.dtype)).to(output.dtype)
        if maps is not None:
            maps[texts, head, rows, :n_k] = weights.to(maps.dtype)

    edit_rows(scores.rows, scores.shape, place.edits(n_q, n_k), output.device, scores.sink, put)
    return (output, maps, *others[1:]) if is_pair else output


def _by_head(output: Any, attended: Attended) -> Any:
    """Return a view (b, h, n_q, d_v) of the output of an attention function."""
    b, h, n_q, _ = attended.query.shape
    d_v = attended.value.shape[-1]
    shape = tuple(output.shape)
    if shape == (b, n_q, h, d_v):
        return output.transpose(1, 2)
    if shape == (b, n_q, h * d_v):
        return output.view(b, n_q, h, d_v).transpose(1, 2)
    return output if shape == (b, h, n_q, d_v) else None


def _scores_of(attended: Attended) -> Scores:
    options, mask = attended.options, attended.mask
    causal = options.get("is_causal")
    causal = getattr(attended.module, "is_causal", True) if causal is None else causal
    n_q = attended.query.shape[2]
    scaling = options.get("scaling")
    return Scores(
        attended.query,
        attended.key,
        attended.query.shape[-1] ** -0.5 if scaling is None else float(scaling),
        mask,
        # As in transformers' sdpa; eager functions mask no cell without a mask.
        bool(causal) and mask is None and n_q > 1 and not attended.is_eager,
        options.get("position_bias"),
        options.get("softcap"),
        options.get("s_aux"),
    )


# Attention that a module computes by itself


@contextmanager
def _functions_edited(place: Place, is_edited: Callable[[], bool]) -> Iterator[None]:
    """Edit the softmax, or torch's fused attention, of each call of the module.

    `is_edited` says whether the edits hold in the thread that asks.
    """
    from torch.overrides import TorchFunctionMode

    class Edit(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            result = func(*args, **kwargs)
            name = getattr(func, "__name__", "")
            if name == "softmax":
                return _edited_softmax(place, args, kwargs, result)
            if name == "scaled_dot_product_attention":
                return _edited_fused(place, args, kwargs, result)
            if name == MULTI_HEAD:
                raise ValueError(
                    f"knockouts: {place.name} is a torch.nn.MultiheadAttention, which cannot be "
                    "edited"
                )
            return result

    # A stack for each thread, because hooks run in the thread that runs the model.
    here = threading.local()

    def enter(*_: Any) -> None:
        if not is_edited():
            return
        mode = Edit()
        mode.__enter__()
        here.__dict__.setdefault("modes", []).append(mode)

    def leave(*_: Any) -> None:
        if not is_edited():
            return
        here.modes.pop().__exit__(None, None, None)
        if not place.run.is_edited and any(edit.layer is not None for edit in place.knockouts):
            raise ValueError(
                f"knockouts: {place.name} ({type(place.module).__name__}) computed no softmax over "
                "keys, so that its attention cannot be edited"
            )

    hooks = [
        place.module.register_forward_pre_hook(enter),
        place.module.register_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _edited_softmax(place: Place, args: Any, kwargs: Any, result: Any) -> Any:
    scores = args[0] if args else kwargs["input"]
    dim = args[1] if len(args) > 1 else kwargs.get("dim", -1)
    if scores.ndim < 3 or dim not in {-1, scores.ndim - 1}:
        return result
    heads = scores.shape[1] if scores.ndim == 4 else head_count(place.module) or 1
    if scores.ndim > 4 or scores.numel() % (heads * scores.shape[-1] * scores.shape[-2]):
        raise ValueError(f"knockouts: {place.name} computes blocks of the map, not rows")
    n_q, n_k = scores.shape[-2:]
    by_head = scores.detach().reshape(-1, heads, n_q, n_k)
    edited = result.clone()
    target = edited.view(-1, heads, n_q, n_k)

    def rows_of(texts: slice, head: int, rows: Any) -> Any:
        block = by_head[texts, head, rows].float()
        return block.masked_fill(is_hidden(block), -float("inf"))

    def put(texts: slice, head: int, rows: Any, weights: Any) -> None:
        target[texts, head, rows] = weights.to(edited.dtype)

    shape = (len(by_head), heads, n_q, n_k)
    edit_rows(rows_of, shape, place.edits(n_q, n_k), scores.device, None, put)
    return edited


def _edited_fused(place: Place, args: Any, kwargs: Any, result: Any) -> Any:
    arguments = dict(zip(_SDPA, args, strict=False)) | kwargs
    query, key, value, mask = (arguments.get(name) for name in _SDPA[:4])
    if query is None or key is None or value is None or query.ndim != 4:
        raise ValueError(f"knockouts: {place.name} is not laid out as batch, heads and queries")
    scale, causal = arguments.get("scale"), bool(arguments.get("is_causal"))
    scale = query.shape[-1] ** -0.5 if scale is None else float(scale)
    scores = Scores(query, key, scale, mask, causal)
    h, n_q, n_k = scores.shape[1:]
    edited = result.clone()

    def put(texts: slice, head: int, rows: Any, weights: Any) -> None:
        values = value[texts, head * value.shape[1] // h]
        edited[texts, head, rows] = (weights @ values.to(weights.dtype)).to(edited.dtype)

    edit_rows(scores.rows, scores.shape, place.edits(n_q, n_k), result.device, None, put)
    return edited
