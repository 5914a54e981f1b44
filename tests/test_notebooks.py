"""Every notebook runs from top to bottom, offline, shows its widgets, and what it says is true.

A cell shows a widget exactly if its id ends in ``-widget``. What the text claims is computed anew
in the notebook's own kernel, right after the cell that it speaks of: see `CLAIMS`.
"""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from claims_of_lab import CLAIMS, LAB, PRELUDE
from notebook_runs import ROOT, code_cells, execute, printed, probe, question_and_answer

__all__ = ["execute"]  # a fixture, used by name
NOTEBOOKS = sorted((ROOT / "notebooks").glob("**/*.ipynb"))
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT))
)


def test_there_are_notebooks():
    assert {"self_attention_lab", "teacher_guide"} <= {path.stem for path in NOTEBOOKS}


@every_notebook
def test_runs_offline_and_shows_its_widgets(path, execute):
    notebook = execute(nbformat.read(path, as_version=4))
    state = notebook.metadata["widgets"][STATE]["state"]
    shows = {}
    for cell in code_cells(notebook):
        bad = [o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
        assert not bad, (cell.id, bad)
        models = [o.data[VIEW]["model_id"] for o in cell.outputs if VIEW in o.get("data", {})]
        # An attention map has tokens; a label or a progress bar has none.
        shows[cell.id] = any("tokens" in state[one]["state"] for one in models)
    assert shows == {id_: id_.endswith("-widget") for id_ in shows}
    assert any(shows.values())


@every_notebook
def test_is_stored_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert not cell.metadata, cell.id
    for cell in code_cells(notebook):
        assert not cell.outputs, cell.id
        assert cell.execution_count is None, cell.id


@every_notebook
def test_a_task_stands_before_its_card(path):
    cells = nbformat.read(path, as_version=4).cells
    ids = [cell.id for cell in cells]
    is_card = [id_.endswith(("-widget", "-compare")) for id_ in ids]
    is_code = [cell.cell_type == "code" for cell in cells]
    for i in filter(is_card.__getitem__, range(len(cells))):
        before = max(k for k in range(i) if not is_code[k])
        assert not any(is_card[before:i]), f"{ids[i]} follows another card without a text"
    for i, cell in enumerate(cells):
        if not re.search(r"\*\*(Question|Exercise)\.\*\*", cell.source):
            continue
        if "<details>" in cell.source:  # about numbers that a cell has printed
            code = max(k for k in range(i) if is_code[k])
            assert not is_card[code], f"{cell.id} stands below its card"
        else:
            card = is_card.index(True, i)
            assert not any(is_code[i:card]), f"{cell.id} is not directly above a card"
            assert card < ids.index(cell.id.replace("-question", "-answer")), cell.id


@pytest.fixture(scope="module")
def probed(execute):
    return probe(execute, CLAIMS, PRELUDE)


@pytest.mark.parametrize(
    ("name", "i"),
    [
        pytest.param(name, i, id=f"{name}-{claim.text}")
        for name, claims in CLAIMS.items()
        for i, claim in enumerate(claims)
    ],
)
def test_what_the_text_claims_is_so(name, i, probed):
    claim = CLAIMS[name][i]
    for words in json.loads(printed(probed[name][f"probe-{i}"])):
        assert words in question_and_answer(probed[name], claim.text)


def test_the_table_of_mistakes_is_what_the_numbers_say(probed):
    cells = probed["teacher_guide"]
    table = re.findall(r"^\| `([\w-]+)` \| .* \| (.*) \|$", cells["step8"].source, re.M)
    numbers = printed(cells["step8-numbers"])
    breaks = dict(re.findall(r"^([\w-]+) +off by .* breaks: (.*)$", numbers, re.M))
    assert len(table) == len(breaks) == 9
    for name, promise in table:
        assert re.match(r"[\w ]+", promise.replace("**", ""))[0] == breaks[name], name


def test_every_question_is_claimed_and_can_be_unfolded():
    lab = nbformat.read(ROOT / "notebooks" / "self_attention_lab.ipynb", as_version=4)
    by_id = {cell.id: cell for cell in lab.cells}
    asked = [cell for cell in lab.cells if "**Question.**" in cell.source]
    for cell in asked:
        text = question_and_answer(by_id, cell.id)
        assert text.count("<details>") == text.count("</details>") == 1, cell.id
    # What the course has in Part 1 is asked to think, and BertViz draws its own.
    by_eye = {"output-question", "bertviz-question"}
    assert {cell.id for cell in asked} - by_eye <= {claim.text for claim in LAB}


@pytest.mark.parametrize(
    "topic",
    ["Sentence length and dimensions", "Why divide", "Temperature", "Different weight matrices",
     "word order", "Masking", "a function with a mask", "Cross-attention"],
)  # fmt: skip
def test_each_topic_of_part_3_has_a_widget_and_a_question(topic):
    lab = nbformat.read(ROOT / "notebooks" / "self_attention_lab.ipynb", as_version=4)
    sections = {}
    for cell in lab.cells:
        if heading := re.search(r"^## (3\.\d .*)$|^# Part 4", cell.source, re.M):
            here = sections.setdefault(heading[1] or "Part 4", [])
        if sections:
            here.append(cell)
    (cells,) = [cells for title, cells in sections.items() if topic in title]
    assert any(cell.id.endswith("-widget") for cell in cells)
    assert any("**Question.**" in cell.source for cell in cells)
