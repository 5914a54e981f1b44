"""Names that Python and the page share are the same on both sides."""

from __future__ import annotations

import re
from pathlib import Path

from attnwidget import AttentionWidget
from attnwidget.session.settings import CMAPS, VIEWS

ROOT = Path(__file__).parents[1]


def test_the_table_of_names_is_the_class():
    table = (ROOT / "js" / "wire" / "schema.d.ts").read_text()
    body = re.search(r"export interface Traits \{(.*?)\n\}", table, re.DOTALL).group(1)
    names = set(re.findall(r"^ {2}(\w+)\??:", body, re.MULTILINE))
    own = {n for n in AttentionWidget.class_trait_names(sync=True) if n not in _inherited()}
    assert names == own


def _inherited():
    import anywidget

    # The last three are what anywidget adds to each widget.
    own = {"comm", "_esm", "_css", "_anywidget_id"}
    return {*anywidget.AnyWidget.class_trait_names(), *own}


def test_the_colour_maps_are_the_same_on_both_sides():
    source = (ROOT / "js" / "draw" / "ramps.ts").read_text()
    (listed,) = re.findall(r"RAMPS = \{(.*?)\n\}", source, re.DOTALL)
    assert tuple(re.findall(r"^ {2}(\w+):", listed, re.MULTILINE)) == CMAPS


def test_the_views_are_the_same_on_both_sides():
    source = (ROOT / "js" / "card" / "view.ts").read_text()
    (listed,) = re.findall(r"export type ViewName =(.*?);", source, re.DOTALL)
    assert tuple(re.findall(r'"([\w-]+)"', listed)) == VIEWS
