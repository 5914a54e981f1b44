"""What knock-outs changed in a model's output: the `Effect` of two passes on the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from attnwidget.capture.token_labels import decoder_ids
from attnwidget.sources.effect import Effect, Reach
from attnwidget.sources.labels import labels

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from attnwidget.capture.inputs import Reading

Kind = Literal["next token", "next token of the decoder", "masked token", "class of the token",
               "class", "vectors", "outputs"]  # fmt: skip
# So many tokens or classes are listed.
_LISTED = 10


@dataclass(frozen=True, eq=False)
class Outputs:
    """The tensors that a pass returned, by name; `first` is the position of the first logits."""

    tensors: Mapping[str, torch.Tensor]
    first: int = 0

    @classmethod
    def of(cls, returned: Any, first: int = 0) -> Outputs:
        """Return the tensors of what a model returned."""
        import torch

        if isinstance(returned, torch.Tensor):
            return cls({"output": returned}, first)
        named = returned.items() if hasattr(returned, "items") else enumerate(returned)
        found = {str(k): v.detach() for k, v in named if isinstance(v, torch.Tensor)}
        return cls(found, first)

    def whole(self, before: Outputs) -> Outputs:
        """Return the outputs with the logits of all positions; the first are those of `before`."""
        import torch

        if not self.first:
            return self
        logits = torch.cat(
            [before.tensors["logits"][:, : self.first], self.tensors["logits"]], dim=1
        )
        return Outputs({**self.tensors, "logits": logits})

    def equal(self, other: Outputs) -> bool:
        """Whether both have the same numbers."""
        import torch

        return self.tensors.keys() == other.tensors.keys() and all(
            torch.equal(tensor, other.tensors[name]) for name, tensor in self.tensors.items()
        )


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads the effect from the outputs of the passes before and after.

    `kind` is what the model's output says, `row` the text of the batch. `ids` are the tokens that
    the logits predict, `is_read` says which of them the model reads as text (no padding).
    `tokens` and `special` belong to the rows of the output.
    """

    kind: Kind
    row: int
    tokens: Sequence[str]
    special: Sequence[bool]
    ids: NDArray[np.int64] | None
    is_read: NDArray[np.bool_] | None
    mask_id: int | None
    tokenizer: Any
    names: Mapping[int, str] = field(default_factory=dict)

    def effect(
        self,
        before: Outputs,
        after: Outputs,
        loss: NDArray[np.float64],
        reach: tuple[Reach, ...],
        position: int | None,
    ) -> Effect:
        """Return the effect at `position`; None for the default of the kind.

        `loss` has the `losses` before and after, (2, n) or empty.
        """
        if self.kind == "vectors":
            return self._vectors(before, after, reach)
        if self.kind == "outputs":
            return _outputs(before, after, reach)
        logits = before.tensors["logits"][self.row]
        edited = after.tensors["logits"][self.row]
        if self.kind == "class":
            pair = _float(logits), _float(edited)
            return Effect("classes", "class", **self._listed(*pair), reach=reach)
        n = len(logits)
        at = self._default(n) if position is None else min(position, n - 1)
        row = logits[at] if at < after.first else edited[at - after.first]
        kind = "classes" if self.kind == "class of the token" else "tokens"
        token = self.tokens[at] if at < len(self.tokens) else ""
        listed = self._listed(_float(logits[at]), _float(row))
        return Effect(
            kind, self.kind, **listed, reach=reach, position=at, token=token, positions=n, loss=loss
        )

    def _default(self, n: int) -> int:
        """Return the last token of the text, or the first token that the model has to guess."""
        if self.kind == "masked token" and self.ids is not None and self.mask_id is not None:
            masked = np.flatnonzero(self.ids[:n] == self.mask_id)
            if len(masked):
                return int(masked[0])
        read = np.ones(n, bool) if self.is_read is None else self.is_read[:n].copy()
        if self.kind == "masked token" and len(self.special) == n:
            read &= ~np.array(self.special, bool)
        places = np.flatnonzero(read)
        return int(places[-1]) if len(places) else n - 1

    def _listed(self, before: torch.Tensor, after: torch.Tensor) -> dict[str, Any]:
        """Return the distributions over tokens or classes, and the most probable of them."""
        import torch

        pair = torch.stack([before, after])
        logs = torch.log_softmax(pair, dim=-1)
        p = logs.exp()
        kl = float((p[0] * (logs[0] - logs[1])).nan_to_num(0.0).sum().clamp(min=0))
        top = p.amax(dim=0).topk(min(_LISTED, p.shape[-1])).indices
        ids = top.cpu().numpy()
        return {
            "number": kl,
            "unit": "nats",
            "kl": kl,
            "labels": tuple(self._label(int(i)) for i in ids),
            "ids": ids,
            "logits": pair[:, top].cpu().numpy(),
            "probabilities": p[:, top].cpu().numpy(),
            "log_probabilities": logs.cpu().numpy(),
        }

    def _label(self, number: int) -> str:
        if self.kind in {"class", "class of the token"}:
            return str(self.names.get(number, number))
        return str(number) if self.tokenizer is None else labels(self.tokenizer, [number])[0]

    def losses(self, outputs: Outputs) -> NDArray[np.float64]:
        """Return -log p of each token of the text; NaN where no logits of `outputs` predict it.

        Without a token if the model predicts no next token.
        """
        logits = outputs.tensors.get("logits")
        if self.ids is None or logits is None or not self.kind.startswith("next token"):
            return np.empty(0)
        rows, first, n = logits[self.row], outputs.first, len(self.ids)
        if first + len(rows) != n or n < 2:
            return np.empty(0)
        loss = np.full(n, np.nan)
        loss[first + 1 :] = _minus_log_p(rows[:-1], self.ids[first + 1 :])
        if self.is_read is not None:
            unread = ~self.is_read[:n]
            loss[unread] = np.nan
            loss[1:][unread[:-1]] = np.nan
        return loss

    def _vectors(self, before: Outputs, after: Outputs, reach: tuple[Reach, ...]) -> Effect:
        a, b = (_float(each.tensors["last_hidden_state"][self.row]) for each in (before, after))
        a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
        cosine, norm = _moved(a, b)
        known = len(self.special) == len(a)
        kept = ~np.array(self.special, bool) if known else np.ones(len(a), bool)
        if self.is_read is not None and len(self.is_read) == len(a):
            kept &= self.is_read
        kept = kept if kept.any() else np.ones(len(a), bool)
        count = int(kept.sum())
        over = f"mean over {count} token{'s' * (count != 1)}"
        over += "" if count == len(a) else ", without special tokens"
        rows = kept.nonzero()[0].tolist()
        mean_a, mean_b = a[rows].mean(dim=0), b[rows].mean(dim=0)
        pooled = tuple(float(part[0]) for part in _moved(mean_a[None], mean_b[None]))
        return Effect(
            "vectors", "vectors of the tokens", pooled[0], "1 - cosine", reach, cosine=cosine,
            norm=norm, pooled=(pooled[0], pooled[1]), pooled_over=over,
            pooled_rows=tuple(rows), positions=len(a),
        )  # fmt: skip


def reader(model: PreTrainedModel, reading: Reading, outputs: Outputs) -> Reader:
    """Return the reader of what `model` returned for the text of a `reading`."""
    row, tokenizer = reading.row, reading.tokenizer
    kind = _kind(model, outputs)
    is_decoder = kind == "next token of the decoder" or (
        kind == "vectors" and bool(getattr(model.config, "is_encoder_decoder", False))
    )
    text = reading.texts.get("target" if is_decoder else "source")
    ids = decoder_ids(model, reading.inputs) if is_decoder else reading.inputs.get("input_ids")
    mask = reading.inputs.get("decoder_attention_mask" if is_decoder else "attention_mask")
    words = getattr(tokenizer, "tokenizer", tokenizer)
    names = getattr(model.config, "id2label", None) or {}
    return Reader(
        kind,
        row,
        text.tokens if text else (),
        text.special if text else (),
        _row(ids, row),
        _is_read(mask, row),
        getattr(words, "mask_token_id", None),
        words,
        {int(number): str(name) for number, name in names.items()},
    )


def _kind(model: PreTrainedModel, outputs: Outputs) -> Kind:
    logits = outputs.tensors.get("logits")
    if logits is None:
        hidden = outputs.tensors.get("last_hidden_state")
        return "outputs" if hidden is None else "vectors"
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    sizes = {getattr(model.config, "vocab_size", None), _width(head)}
    if logits.ndim == 3 and logits.shape[-1] in sizes:
        if getattr(model.config, "is_encoder_decoder", False):
            return "next token of the decoder"
        is_masked = "MaskedLM" in type(model).__name__ or "PreTraining" in type(model).__name__
        return "masked token" if is_masked else "next token"
    if logits.shape[-1] == len(getattr(model.config, "id2label", None) or {}):
        if logits.ndim == 2:
            return "class"
        if logits.ndim == 3:
            return "class of the token"
    return "outputs"


def _width(head: Any) -> int | None:
    weight = getattr(head, "weight", None)
    return None if weight is None else int(weight.shape[0])


def _row(values: Any, row: int) -> NDArray[Any] | None:
    if values is None or values.ndim != 2:
        return None
    array: NDArray[Any] = values[min(row, len(values) - 1)].cpu().numpy()
    return array


def _is_read(mask: Any, row: int) -> NDArray[np.bool_] | None:
    values = _row(mask, row)
    return None if values is None else np.array(values != 0, bool)


def _float(tensor: torch.Tensor) -> torch.Tensor:
    """Return the numbers in float64, because small changes are shown."""
    import torch

    return tensor.detach().to("cpu", torch.float64)


def _minus_log_p(logits: torch.Tensor, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    import torch

    wanted = torch.as_tensor(np.array(ids), dtype=torch.long, device=logits.device)[:, None]
    # Without a second array of all logits: the logarithm of the sum, and the token's own logit.
    total = torch.logsumexp(logits.float(), dim=-1)
    own = logits.gather(-1, wanted)[:, 0].float()
    loss: NDArray[np.float64] = (total - own).double().cpu().numpy()
    return loss


def _moved(a: torch.Tensor, b: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return 1 - cosine and ‖b - a‖ / ‖a‖ of each row; 0 where nothing changed."""
    sizes = a.norm(dim=-1) * b.norm(dim=-1)
    cosine = 1 - (a * b).sum(dim=-1) / sizes.clamp(min=1e-300)
    cosine = cosine.clamp(min=0).masked_fill((a == b).all(dim=-1), 0.0)
    norm = (b - a).norm(dim=-1) / a.norm(dim=-1).clamp(min=1e-300)
    return cosine.numpy(), norm.numpy()


def _outputs(before: Outputs, after: Outputs, reach: tuple[Reach, ...]) -> Effect:
    changes = {
        name: float((_float(after.tensors[name]) - _float(tensor)).abs().max())
        for name, tensor in before.tensors.items()
        if name in after.tensors
        and tensor.is_floating_point()
        and tensor.shape == after.tensors[name].shape
        and tensor.numel()
    }
    largest = max(changes.values(), default=0.0)
    return Effect("outputs", "outputs", largest, "largest change", reach, changes=changes)
