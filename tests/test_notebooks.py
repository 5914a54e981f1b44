"""Every notebook runs from top to bottom, offline, and shows the widgets that it says it shows.

A cell shows a widget exactly if its id ends in ``-widget``.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("**/*.ipynb"))
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"

every_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT))
)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run a notebook in this interpreter's kernel, in an empty folder, without the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    # No folders to look in: what is left is ipykernel's own spec, which is this interpreter's.
    kernels = KernelSpecManager(kernel_dirs=[])

    def run(path):
        notebook = nbformat.read(path, as_version=4)
        here = tmp_path / "here"
        here.mkdir()
        NotebookClient(
            notebook,
            km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernels),
            timeout=120,
            resources={"metadata": {"path": str(here)}},
        ).execute()
        return notebook

    return run


def test_there_are_notebooks():
    assert ROOT / "notebooks" / "self_attention_lab.ipynb" in NOTEBOOKS


@every_notebook
def test_runs_offline_and_shows_its_widgets(path, execute):
    notebook = execute(path)
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
