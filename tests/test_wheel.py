"""The wheel carries the bundle, and works where nothing of the checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pip(*arguments: str, **environment: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env=os.environ | environment)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--wheel-dir", str(out))
    (path,) = out.glob("*.whl")
    return path


def test_it_holds_the_bundle_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "attnwidget/export/glyphs.npz" in names
    for name in ("widget.js", "page.js", "widget.css", "bertviz_libs.js"):
        assert zipfile.ZipFile(wheel).getinfo(f"attnwidget/static/{name}").file_size > 1000
    assert "attnwidget/py.typed" in names
    assert "attnwidget/demo/four_heads/model.safetensors" in names
    assert "attnwidget/bertviz/page.html" in names
    assert "attnwidget/notebooks/self_attention_lab.ipynb" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"attnwidget"}


def test_the_command_and_its_notebook_are_installed(wheel, tmp_path):
    pip("install", str(wheel), "--no-deps", "--target", str(tmp_path / "site"))
    # A stand-in for JupyterLab, which writes down what it was asked to open.
    lab = tmp_path / "lab" / "jupyterlab"
    lab.mkdir(parents=True)
    (lab / "__init__.py").touch()
    (lab / "__main__.py").write_text("import sys; print('opens', *sys.argv[1:])")
    work = tmp_path / "work"
    work.mkdir()
    command = tmp_path / "site" / "bin" / "attnwidget"
    paths = os.pathsep.join([str(tmp_path / "site"), str(tmp_path / "lab")])
    done = subprocess.run(
        [sys.executable, str(command), "lab", "--no-browser"],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=work,
        capture_output=True,
        text=True,
    )
    copy = work / "self_attention_lab.ipynb"
    assert (done.returncode, done.stderr) == (0, "")
    assert f"opens {copy} --no-browser" in done.stdout
    assert copy.read_bytes() == (ROOT / "notebooks" / copy.name).read_bytes()


def test_the_bundle_is_small(wheel):
    # A notebook stores widget.js in every saved widget. BertViz's libraries are not part of it.
    assert zipfile.ZipFile(wheel).getinfo("attnwidget/static/widget.js").file_size <= 125_000


def test_it_works_away_from_the_checkout(wheel, tmp_path):
    pip("install", str(wheel), "--no-deps", "--target", str(tmp_path / "site"))
    code = (
        "import attnwidget; w = attnwidget.AttentionWidget('a b c'); "
        "built = len(w._esm) > 10_000; "
        "print(attnwidget.__file__, attnwidget.__version__, built, w.attention.shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, version, built, shape = done.stdout.split(maxsplit=3)
    assert Path(where).is_relative_to(tmp_path)
    assert version in wheel.name
    assert (built, shape.strip()) == ("True", "(3, 3)")


def test_an_sdist_builds_without_node(tmp_path):
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, "--sdist", str(ROOT)], check=True, capture_output=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    # A PATH without npm: what the sdist carries has to be enough.
    pip(
        "wheel",
        str(sdist),
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        PATH="",
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert "attnwidget/static/widget.js" in zipfile.ZipFile(wheel).namelist()
