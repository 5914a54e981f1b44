"""The runs of a widget as a notebook that repeats them without the widget."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnwidget.session.experiment import Experiment
    from attnwidget.sources.runs import RunRecord

_DEMO = Path(__file__).parents[1] / "demo"
# The heads of the models in the package, by folder.
_DEMO_HEADS = {"one_head": 1, "four_heads": 4}
# The function that computes the effect in one number, by the kind of the effect.
_EFFECTS = {
    "tokens": '''\
def effect(before, after, position):
    """KL(before‖after) in nats of the distribution at the position."""
    p, q = (torch.log_softmax(out.logits[{row}, position].double(), dim=-1)
            for out in (before, after))
    return float((p.exp() * (p - q)).sum())
''',
    "classes": '''\
def effect(before, after):
    """KL(before‖after) in nats of the distribution over the classes."""
    p, q = (torch.log_softmax(out.logits[{row}].double(), dim=-1) for out in (before, after))
    return float((p.exp() * (p - q)).sum())
''',
    "vectors": '''\
def effect(before, after):
    """1 - cosine of the mean of the vectors of these tokens."""
    rows = {rows}
    a, b = (out.last_hidden_state[{row}].double().flatten(0, -2)[rows].mean(0)
            for out in (before, after))
    return 1 - float(torch.nn.functional.cosine_similarity(a, b, dim=0))
''',
    "outputs": '''\
def effect(before, after):
    """The largest change of a number of the output."""
    return max(float((after[name] - value).abs().max()) for name, value in before.items()
               if torch.is_tensor(value) and value.is_floating_point())
''',
}


def save_notebook(experiment: Experiment, path: str | PathLike[str]) -> Path:
    """Write the runs of `experiment`; see `AttentionWidget.save_notebook`."""
    runs = [run for run in experiment.runs if run.runner is experiment.runner]
    if not runs:
        raise ValueError("save_notebook: no run was done; set knockouts first")
    place = Path(path)
    text = json.dumps(_notebook(_cells(runs)), indent=1, ensure_ascii=False)
    place.write_text(text + "\n", encoding="utf-8")
    return place


def _cells(runs: Sequence[RunRecord]) -> list[tuple[str, str]]:
    """Return the kind and the text of each cell; all runs have one runner."""
    runner = runs[0].runner
    about = (
        f"# Knock-outs in {type(runner.model).__name__}\n\n"
        f"{len(runs)} run{'s' * (len(runs) != 1)}, as a widget did them. Each cell repeats a run "
        "with `attnwidget.knock_out`, which needs no widget."
    )
    passes = "model.eval()\nwith torch.no_grad():\n    before = model(**inputs)"
    cells = [
        ("markdown", about),
        ("code", _model_code(runner.model)),
        ("code", _inputs_code(runner.inputs)),
        ("code", f"{_effect_code(runs[0])}\n\n{passes}"),
    ]
    return cells + [("code", _run_code(run)) for run in runs]


def _model_code(model: Any) -> str:
    kind, name = type(model), str(getattr(model, "name_or_path", "") or "")
    start = "import torch\n\nfrom attnwidget import knock_out\n"
    place = Path(name)
    if name and place.parent == _DEMO and place.name in _DEMO_HEADS:
        code = "from attnwidget.demo import induction_model\n\n"
        return f"{start}{code}model, tokenizer = induction_model({_DEMO_HEADS[place.name]})"
    if not name:
        return f"{start}\nmodel = ...  # put your {kind.__name__} here"
    module = "transformers" if kind.__module__.startswith("transformers.") else kind.__module__
    code = f"from {module} import {kind.__name__}\n\n"
    return f"{start}{code}model = {kind.__name__}.from_pretrained({name!r})"


def _inputs_code(inputs: Mapping[str, Any]) -> str:
    lines = []
    for name, value in inputs.items():
        if hasattr(value, "tolist") and "float" not in str(value.dtype):
            lines.append(f"    {name!r}: torch.tensor({value.tolist()}),")
        elif value is None or isinstance(value, (bool, int, float, str)):
            lines.append(f"    {name!r}: {value!r},")
        else:
            shape = tuple(getattr(value, "shape", ()))
            lines.append(f"    {name!r}: ...,  # put your {name} here, of shape {shape}")
    return "\n".join(["inputs = {", *lines, "}"])


def _effect_code(run: RunRecord) -> str:
    """Return the function that computes the effect in one number, as the widget does."""
    effect = run.effect
    kind = effect.kind if effect.position is None else "tokens"
    return _EFFECTS[kind].format(row=run.runner.batch_index, rows=list(effect.pooled_rows))


def _run_code(run: RunRecord) -> str:
    records = "".join(f"    {edit.as_code()},\n" for edit in run.knockouts)
    position = "" if run.effect.position is None else f", {run.effect.position}"
    return (
        f"# {run.name}: {run.number:.6g} {run.unit} in the widget\n"
        f"knockouts = [\n{records}]\n"
        "with torch.no_grad(), knock_out(model, knockouts):\n"
        "    after = model(**inputs)\n"
        f"effect(before, after{position})"
    )


def _notebook(cells: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the cells as a notebook of nbformat 4.5."""
    written: list[dict[str, Any]] = []
    for number, (kind, text) in enumerate(cells):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        written.append({**cell, "source": text.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": written,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
