"""What the notebooks with real models claim is so, by transformers' own eager attention.

A notebook's text is checked like the lab's: code runs in the notebook's own kernel behind the
cell that it speaks of, and puts into `said` what must stand in the text. That every notebook runs
offline and is stored clean, `test_notebooks` says for all of them.
"""

from __future__ import annotations

import inspect
import json
import re
import runpy

import nbformat
import numpy as np
import pytest
from claims_of_models import CLAIMS, PRELUDE
from notebook_runs import ROOT, code_cells, execute, printed, probe, question_and_answer

NOTEBOOKS = ROOT / "notebooks"
MODELS = NOTEBOOKS / "models"
__all__ = ["execute"]  # a fixture, used by name


def read(name: str):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def probed(execute):
    return probe(execute, CLAIMS, PRELUDE)


@pytest.mark.parametrize(
    ("name", "i"),
    [
        pytest.param(name, i, id=f"{name}-{claim.text}-{claim.after}")
        for name, claims in CLAIMS.items()
        for i, claim in enumerate(claims)
    ],
)
def test_what_the_text_claims_is_so(name, i, probed):
    claim = CLAIMS[name][i]
    for words in json.loads(printed(probed[name][f"probe-{i}"])):
        assert words in question_and_answer(probed[name], claim.text)


@pytest.mark.parametrize("name", CLAIMS)
def test_every_cell_of_the_notebook_ran(name, probed):
    own = [cell.id for cell in code_cells(read(name))]
    outputs = {id_: probed[name][id_].outputs for id_ in own}
    bad = [o for found in outputs.values() for o in found if o.output_type == "error"]
    assert not bad
    assert all(probed[name][id_].execution_count for id_ in own)


def test_every_question_is_claimed_and_can_be_unfolded():
    by_id = {cell.id: cell for cell in read("real_models").cells}
    asked = [cell for cell in by_id.values() if "**Question.**" in cell.source]
    assert len(asked) > 8
    for cell in asked:
        text = question_and_answer(by_id, cell.id)
        assert text.count("<details>") == text.count("</details>") > 0, cell.id
    assert {cell.id for cell in asked} <= {claim.text for claim in CLAIMS["real_models"]}


def test_each_argument_of_bertviz_has_its_line():
    from bertviz import head_view, model_view

    text = "\n".join(cell.source for cell in read("from_bertviz").cells)
    for view in (head_view, model_view):
        assert re.search(rf"\b{view.__name__}\(", text)
        missing = [name for name in inspect.signature(view).parameters if name not in text]
        assert not missing
    assert "neuron_view" in text


# The small models


def test_the_models_are_small_and_tell_no_place():
    files = [path for path in MODELS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert {path.parent.name for path in files} == {"reverses", "oddone"}
    for path in files:
        assert path.suffix in {".json", ".safetensors"}
        if path.suffix == ".json":
            assert not re.search(r"name_or_path|/(home|root|tmp)/|https?:", path.read_text())


def load(name: str, auto: str):
    import torch
    import transformers

    Class = getattr(transformers, auto)
    return Class.from_pretrained(MODELS / name, dtype=torch.float32).eval()


def test_the_encoder_decoder_writes_backwards():
    import torch
    from transformers import AutoTokenizer

    model, letters = (
        load("reverses", "AutoModelForSeq2SeqLM"),
        AutoTokenizer.from_pretrained(MODELS / "reverses"),
    )
    rng = np.random.default_rng(7)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 8)) for _ in range(300)]
    with torch.inference_mode():
        written = model.generate(
            **letters(words, return_tensors="pt"), max_new_tokens=12, do_sample=False
        )
    said = letters.batch_decode(written, skip_special_tokens=True)
    assert np.mean([a == b[::-1] for a, b in zip(said, words, strict=True)]) > 0.98


def test_the_vision_model_finds_the_quarter():
    import torch

    model = load("oddone", "AutoModelForImageClassification")
    rng = np.random.default_rng(7)
    upright = np.tile([1.0, -1.0, 1.0, -1.0], (4, 1))
    images, quarters = [], []
    for place in range(36):
        for common, odd in ((upright, upright.T), (upright.T, upright)):
            row, column = divmod(place, 6)
            image = np.tile(common, (6, 6))
            image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = odd
            images.append(image + 0.3 * rng.normal(size=image.shape))
            sides = ("bottom" if row >= 3 else "top", "right" if column >= 3 else "left")
            quarters.append(" ".join(sides))
    with torch.inference_mode():
        found = model(torch.tensor(np.array(images)[:, None], dtype=torch.float32)).logits.argmax(
            -1
        )
    assert [model.config.id2label[int(i)] for i in found] == quarters


@pytest.mark.parametrize("name", ["one_head", "four_heads", "reverses", "oddone"])
def test_the_script_makes_the_model_that_is_stored(name, monkeypatch):
    from safetensors import safe_open
    from transformers import AutoConfig, AutoTokenizer

    script = runpy.run_path(str(NOTEBOOKS / "train_small_models.py"))
    # Two steps, of the hundreds: what is trained, not how well.
    whole = script["train"]
    monkeypatch.setitem(
        script[name].__globals__,
        "train",
        lambda model, batch, **how: whole(model, batch, **{**how, "steps": 2}),
    )
    folder = (script["DEMO"] if name.endswith(("head", "heads")) else MODELS) / name
    model, tokenizer = script[name]()
    made, stored = model.config.to_dict(), AutoConfig.from_pretrained(folder).to_dict()
    said = {"dtype", "architectures", "transformers_version", "problem_type", "_name_or_path"}
    assert {k: made[k] for k in made.keys() - said} == {k: stored[k] for k in stored.keys() - said}
    with safe_open(folder / "model.safetensors", framework="np") as file:
        weights = [file.get_tensor(key) for key in file.keys()]  # noqa: SIM118
    assert {weight.dtype.name for weight in weights} == {"float16"}
    assert sum(weight.size for weight in weights) == model.num_parameters()
    if tokenizer is not None:
        assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(folder).get_vocab()
