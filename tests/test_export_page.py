"""The file of a page without Python: nothing loaded, text only as text, bytes as asked."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re

import numpy as np
import pytest
from hostile import HOSTILE
from models import ENCODERS, tokenizer

from attnwidget import AttentionWidget
from attnwidget.session.session import Session
from attnwidget.sources.generation import Generation


class Elements(html.parser.HTMLParser):
    """The elements of a page with their attributes, and the text of each script."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.title, self.inside = [], [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs)["type"], ""))

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            kind, text = self.scripts.pop()
            self.scripts.append((kind, text + data))
        if self.inside == "title":
            self.title += data

    def state(self):
        (text,) = [data for kind, data in self.scripts if kind == "application/json"]
        return json.loads(text)

    def policy(self):
        (meta,) = [a for _, a in self.tags if "http-equiv" in a]
        return meta["content"]


@pytest.fixture
def widget():
    return AttentionWidget("The cat sat on the mat")


@pytest.fixture(scope="module")
def bert():
    return AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat on the mat")


def saved(widget, tmp_path, **options):
    path = widget.save_html(tmp_path / "page.html", **options)
    return Elements(path.read_text(encoding="utf-8"))


def test_a_page_loads_nothing_and_runs_its_own_script_alone(widget, tmp_path):
    page = saved(widget, tmp_path)
    for _, attributes in page.tags:
        assert not {"src", "href", "srcset", "action"} & attributes.keys()
    rules = dict(rule.split(" ", 1) for rule in page.policy().split("; "))
    assert rules["default-src"] == "'none'"
    (script,) = [data for kind, data in page.scripts if kind == "module"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}' blob:"
    assert rules.keys() == {"default-src", "script-src", "style-src", "base-uri", "form-action"}


def test_text_cannot_leave_its_element(tmp_path):
    widget = AttentionWidget(HOSTILE, title="<b>&</title><script>alert(2)</script>")
    page = saved(widget, tmp_path)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not {"img", "b", "svg", "iframe"} & {tag for tag, _ in page.tags}
    assert page.title == "<b>&</title><script>alert(2)</script>"
    state = page.state()
    assert state["traits"]["tokens"] == HOSTILE
    assert state["traits"]["title"] == widget.title
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    body = text[text.index('id="state">') : text.index('<script type="module">')]
    # The two "<" are those of the end of the element of the state and of nothing else.
    assert re.findall(r"<[^>]*>?", body) == ["</script>"]
    assert body.isascii()


def test_the_module_has_the_same_state(widget, tmp_path):
    page = saved(widget, tmp_path)
    text = widget.save_module(tmp_path / "lab.mjs").read_text(encoding="utf-8")
    (literal,) = re.findall(r"^const state = (\{.*\});$", text, re.M)
    assert literal.isascii()
    state = json.loads(literal)
    (css,) = re.findall(r"^state\.css = (.*);$", text, re.M)
    assert json.loads(css).startswith(".aw-root")
    state.pop("css")
    assert state == {k: v for k, v in page.state().items() if k != "css"}
    assert text.endswith(
        "export const render = ({ el, signal }) => openSaved({ el, signal }, state);\n"
        "export default { render };\n"
    )


def test_the_same_widget_gives_the_same_bytes(widget, tmp_path):
    first = widget.save_html(tmp_path / "a.html").read_bytes()
    assert widget.save_html(tmp_path / "b.html").read_bytes() == first


def test_the_title_is_the_pages(widget, tmp_path):
    assert saved(widget, tmp_path, title="My map").title == "My map"
    assert saved(widget, tmp_path).title == "Self-attention"


def test_a_sentence_is_saved_with_all_its_digits(widget, tmp_path):
    head = saved(widget, tmp_path).state()["stacks"][0]["heads"][0]
    assert {placed["dtype"] for placed in head["arrays"].values()} == {"float32"}


@pytest.mark.parametrize("share", [0.95, 0.85, 0.8])
def test_a_page_has_at_most_its_bytes(bert, tmp_path, share):
    whole = bert.save_html(tmp_path / "whole.html").stat().st_size
    least = bert.save_html(tmp_path / "one.html", max_bytes=_least(bert, tmp_path)).stat().st_size
    budget = int(least + (whole - least) * share)
    path = bert.save_html(tmp_path / "some.html", max_bytes=budget)
    assert least < path.stat().st_size <= budget < whole


def _least(widget, tmp_path):
    with pytest.raises(ValueError, match="max_bytes") as error:
        widget.save_html(tmp_path / "none.html", max_bytes=1000)
    return int(re.search(r"want at least ([\d,]+)", str(error.value))[1].replace(",", ""))


def test_the_least_bytes_hold_the_head_on_screen_and_no_less(bert, tmp_path):
    least = _least(bert, tmp_path)
    assert not (tmp_path / "none.html").exists()
    page = saved(bert, tmp_path, max_bytes=least)
    (stack,) = page.state()["stacks"]
    assert [(head["layer"], head["head"]) for head in stack["heads"]] == [(0, 0)]
    assert any("other heads of the layer are not" in each for each in page.state()["notices"])
    with pytest.raises(ValueError, match="which the head on screen needs"):
        bert.save_html(tmp_path / "none.html", max_bytes=least - 1)


def test_a_module_has_at_most_its_bytes(tmp_path):
    widget = AttentionWidget('"quoted" "é" "日本" \\ "')
    path = tmp_path / "lab.mjs"
    size = widget.save_module(path).stat().st_size
    assert widget.save_module(path, max_bytes=size + 2000).stat().st_size == size
    with pytest.raises(ValueError, match="max_bytes") as error:
        widget.save_module(path, max_bytes=size - 20_000)
    least = int(re.search(r"at least ([\d,]+)", str(error.value))[1].replace(",", ""))
    assert widget.save_module(path, max_bytes=least).stat().st_size <= least


def test_a_link_is_followed(widget, tmp_path):
    (tmp_path / "real.html").write_text("before")
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    widget.save_html(tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("budget", [True, 1.5e6, "1 MB", None])
def test_a_budget_is_a_number_of_bytes(widget, tmp_path, budget):
    with pytest.raises(TypeError, match="max_bytes: got"):
        widget.save_html(tmp_path / "page.html", max_bytes=budget)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(widget, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere; make it first"):
        widget.save_html(tmp_path / "nowhere" / "page.html")
    with pytest.raises(IsADirectoryError, match="is a folder, want the name of a file"):
        widget.save_module(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_file_before_as_it_was(widget, tmp_path):
    path = widget.save_html(tmp_path / "page.html")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="max_bytes"):
        widget.save_html(path, max_bytes=10)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_that_is_being_generated_is_refused(widget, tmp_path):
    now = widget.store.now
    running = AttentionWidget(Session(now.source, generated=Generation("The", key="k")))
    with pytest.raises(ValueError, match="a text is being generated"):
        running.save_html(tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_is_refused_in_words(widget, tmp_path):
    both = AttentionWidget.compare(widget, AttentionWidget("The cat sat on the mat", seed=1))
    with pytest.raises(NotImplementedError, match="save each of the two widgets"):
        both.save_html(tmp_path / "page.html")


def test_a_report_on_a_students_function_goes_along(widget, tmp_path):
    widget.check(lambda Q, K: np.full((6, 6), 1 / 6))
    report = saved(widget, tmp_path).state()["traits"]["report"]
    assert report["kind"] == "check"
    assert report["got"]["shape"] == [6, 6]


def test_a_path_may_be_a_text(widget, tmp_path):
    path = widget.save_html(str(tmp_path / "page.html"))
    assert path.is_file()
    assert widget.view == "heatmap"
