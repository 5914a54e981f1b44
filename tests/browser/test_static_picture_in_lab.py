"""The picture that a notebook keeps, in JupyterLab: the card is shown in its place."""

from __future__ import annotations

import nbformat
from mapview import MapView
from playwright.sync_api import expect

MAKE = "from attnwidget import AttentionWidget\nw = AttentionWidget('The cat sat on the mat')"


def test_the_card_is_shown_and_the_notebook_keeps_the_picture(lab):
    notebook = lab.notebook([MAKE, "w"])
    MapView(notebook).settled()
    pictures = notebook.page.locator(".jp-OutputArea img")
    expect(pictures).to_have_count(0)
    (output,) = notebook.save().cells[1].outputs
    assert len(output.data["image/png"]) < 40_000
    assert output.metadata["image/png"]["width"] < 400


def test_without_the_widget_mime_the_picture_is_shown_at_its_size(lab):
    notebook = lab.notebook([MAKE, "w"])
    kept = notebook.save()
    (output,) = kept.cells[1].outputs
    del output.data["application/vnd.jupyter.widget-view+json"]
    kept.metadata.pop("widgets", None)
    path = notebook.path.with_name(f"kept-{notebook.path.name}")
    nbformat.write(kept, path)
    picture = lab.open(path, fresh=True).page.locator(".jp-OutputArea img")
    expect(picture).to_have_count(1)
    assert picture.bounding_box()["width"] == output.metadata["image/png"]["width"]
