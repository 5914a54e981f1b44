"""Find the attention modules that ran without a map, and describe them in the notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnwidget.capture.arrange import part_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attnwidget.capture.records import Call

UNSEEN = "no softmax over keys was seen in it"
_WORDS = {
    "self": "self-attention",
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
    "cross": "cross-attention",
    "vision": "vision attention",
    "audio": "audio attention",
}


@dataclass(frozen=True)
class Missing:
    """The attention of a `module` of class `kind` that is not shown, and the `reason`."""

    module: str
    kind: str
    reason: str


def unrecorded(ran: Collection[tuple[str, str]], recorded: Collection[str]) -> list[Missing]:
    """Return the modules of `ran`, (qualified name, class), that are not `recorded`.

    A module that contains recorded attention, or is contained in it, does not count as missing. Of
    modules that contain each other, the innermost is returned.
    """
    names = {name for name, _ in ran}
    around = {parent for name in names | set(recorded) for parent in _parents(name)}
    missing = []
    for name, kind in ran:
        inside = any(parent in recorded for parent in (name, *_parents(name)))
        if not inside and name not in around:
            missing.append(Missing(name, kind, UNSEEN))
    return missing


def _parents(name: str) -> Iterable[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def one_map_a_run(
    model: PreTrainedModel, calls: Sequence[Call]
) -> tuple[list[Call], list[Missing]]:
    """Return the calls that are the map of a layer, and the attention that is not shown.

    A module that attends twice in a run combines both maps (DiffLlama), so none of them is shown.
    The second run of a module is another layer if the model's config has as many layers (ALBERT,
    Perceiver); otherwise only the first run is shown.
    """
    runs = Counter((call.module, call.turn) for call in calls)
    single = [call for call in calls if runs[call.module, call.turn] == 1]
    missing = [
        Missing(module, "", f"it attends {count} times in a run, and makes one map of all")
        for module, count in dict.fromkeys((m, n) for (m, _), n in runs.items() if n > 1)
    ]
    times = Counter(call.module for call in single)
    again = sum(count for count in times.values() if count > 1)
    if not again or again in _shared_layers(model):
        return single, missing
    first: list[Call] = []
    for call in single:
        if all(call.module != earlier.module for earlier in first):
            first.append(call)
    later = [
        Missing(m, "", f"its runs after the first, {n - 1}") for m, n in times.items() if n > 1
    ]
    return first, missing + later


def _shared_layers(model: PreTrainedModel) -> set[int]:
    """Return the numbers of layers that modules which run several times may form together."""
    config = model.config
    counts = {getattr(config, "num_hidden_layers", None)}
    blocks = getattr(config, "num_blocks", None)
    within = getattr(config, "num_self_attends_per_block", None)
    if isinstance(blocks, int) and isinstance(within, int):
        counts.add(blocks * within)
    return {count for count in counts if isinstance(count, int)}


def in_words(model: PreTrainedModel, missing: Sequence[Missing]) -> str:
    """Return a sentence on the attention that is not shown, with the reasons; "" without any."""
    groups: dict[tuple[str, str], list[Missing]] = {}
    for entry in missing:
        kind = entry.kind or _class_of(model, entry.module)
        groups.setdefault((_WORDS[part_of(model, entry.module)], kind), []).append(entry)
    parts = []
    for (words, kind), group in groups.items():
        names = list(dict.fromkeys(entry.module for entry in group))
        more = "" if len(names) == 1 else f" and {len(names) - 1} more"
        reasons = " and ".join(dict.fromkeys(entry.reason for entry in group))
        parts.append(f"{words} in {names[0]}{more} ({kind}), because {reasons}")
    return f"Not shown: {'; '.join(parts)}." if parts else ""


def _class_of(model: PreTrainedModel, module: str) -> str:
    try:
        return type(model.get_submodule(module)).__name__
    except AttributeError:  # a module that existed only during the run
        return "unknown"
