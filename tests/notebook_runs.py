"""Run a notebook offline in this interpreter, with code that computes its claims."""

from __future__ import annotations

import gc
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def execute(tmp_path_factory):
    """Run a notebook in this interpreter's kernel, without the network.

    Its folder is empty but for the trained models that lie beside the notebooks.
    """
    # No folders to look in: what is left is ipykernel's own spec, which is this interpreter's.
    kernels = KernelSpecManager(kernel_dirs=[])

    def run(notebook, **options):
        here = tmp_path_factory.mktemp("here")
        (here / "models").symlink_to(ROOT / "notebooks" / "models")
        NotebookClient(
            notebook,
            km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernels),
            timeout=120,
            resources={"metadata": {"path": str(here)}},
            **options,
        ).execute()
        # nbclient leaves its sockets to the collector; in a later test that forbids warnings, the
        # warning about an open socket would be an error of this test.
        gc.collect()
        return notebook

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield run


class Claim(NamedTuple):
    """What `text` (a markdown cell, and its answer) says, computed by `code` after a code cell.

    `code` asserts, and puts into `said` what must stand in the text, word for word. It has the
    notebook's own names, `same` for np.allclose, and `labs`, which makes the lab's numbers
    without attnwidget.
    """

    after: str
    text: str
    code: str


PROBE = """
scope = {**globals(), "said": []}
exec(%r, scope)
print(json.dumps(scope["said"]))
"""


def probe(execute, claims_of, prelude):
    """Run notebooks with each claim's code behind the cell that it speaks of; their cells by id."""
    ran = {}
    for name, claims in claims_of.items():
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        cells = [nbformat.v4.new_code_cell(prelude, id="prelude")]
        for cell in notebook.cells:
            cells.append(cell)
            for i, claim in enumerate(claims):
                if claim.after == cell.id:
                    cells.append(nbformat.v4.new_code_cell(PROBE % claim.code, id=f"probe-{i}"))
        notebook.cells = cells
        execute(notebook, allow_errors=True)
        ran[name] = {cell.id: cell for cell in cells}
    return ran


def question_and_answer(cells, id_):
    """Return the text of a cell, and of the answer that stands below the card of the question.

    `cells` are the cells by id. A question about a card is above the card.
    """
    parts = [id_, re.sub("-question$", "-answer", id_)]
    return "\n".join(cells[part].source for part in dict.fromkeys(parts) if part in cells)


def printed(cell):
    """Return what a cell printed: a busy machine sends it in parts. No error is among it."""
    assert not [o for o in cell.outputs if o.output_type == "error"], cell.outputs
    return "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
