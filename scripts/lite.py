"""Build the lab for browsers without a server: `make lite`.

build/lite/site is a JupyterLite site with the lab notebook, this wheel, and anywidget's extension
of JupyterLab; build/lite/marimo is notebooks/marimo_lab.py as marimo's page in WebAssembly. Both
load Pyodide and NumPy from the network when a reader opens them. JupyterLite is installed into a
virtual environment of its own, because the tests need none of its packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "lite"
NOTEBOOK = ROOT / "notebooks" / "self_attention_lab.ipynb"
MARIMO = ROOT / "notebooks" / "marimo_lab.py"
PACKAGES = ("jupyterlite-core[contents]==0.8.6", "jupyterlite-pyodide-kernel==0.8.6")
# What the wheel needs and Pyodide does not have, in the versions of the tests.
WHEELS = ("anywidget", "psygnal")
INSTALL = "%pip install -q attnwidget"


def main() -> None:
    """Build both; a folder that is there is built anew."""
    shutil.rmtree(OUT, ignore_errors=True)
    wheels, contents = OUT / "wheels", OUT / "contents"
    wheels.mkdir(parents=True)
    contents.mkdir()
    wheel = build_wheel(wheels)
    nbformat.write(with_install(nbformat.read(NOTEBOOK, 4)), contents / NOTEBOOK.name)
    build_site(wheels, contents)
    build_marimo(wheel)
    print(f"built {OUT / 'site'} and {OUT / 'marimo'}: serve a folder with python -m http.server")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this clone in `folder`."""
    pip(sys.executable, "wheel", ROOT, "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    (wheel,) = folder.glob("attnwidget-*.whl")
    return wheel


def with_install(book: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook with a first cell that installs the wheel of the site."""
    cell = nbformat.v4.new_code_cell(INSTALL, id="install")
    return nbformat.from_dict({**book, "cells": [cell, *book.cells]})


def build_site(wheels: Path, contents: Path) -> None:
    """Build the JupyterLite site; the wheels go into the index that its `%pip` reads first."""
    python = OUT / "venv" / "bin" / "python"
    venv.create(OUT / "venv", with_pip=True)
    pins = ("-c", ROOT / "constraints-dev.txt")
    # marimo looks for the modules of a notebook with uv.
    pip(python, "install", *PACKAGES, "anywidget", "uv", *pins)
    pure = ("--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none")
    pip(python, "download", "--no-deps", *pure, *pins, "--dest", wheels, *WHEELS)
    site = ["--output-dir", OUT / "site", "--contents", contents, "--apps", "lab"]
    site += [f"--piplite-wheels={wheel}" for wheel in sorted(wheels.glob("*.whl"))]
    run(python, "-m", "jupyterlite_core", "build", *site, "--no-sourcemaps", "--no-libarchive")


def build_marimo(wheel: Path) -> None:
    """Export the marimo notebook; marimo copies the folder `public`, which has the wheel."""
    source = OUT / "marimo_source"
    (source / "public").mkdir(parents=True)
    shutil.copyfile(wheel, source / "public" / wheel.name)
    text = MARIMO.read_text(encoding="utf-8")
    (source / MARIMO.name).write_text(text.replace("attnwidget.whl", wheel.name), encoding="utf-8")
    run(
        *(sys.executable, "-m", "marimo", "export", "html-wasm", source / MARIMO.name),
        *("--output", OUT / "marimo", "--mode", "run", "--force"),
    )


def pip(python: str | Path, *arguments: str | Path) -> None:
    """Run pip."""
    run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def run(*command: str | Path) -> None:
    """Run a command in the output folder; its failure ends the build."""
    # The sources of a clone must not stand in for the installed packages.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(OUT / "venv" / "bin"), environment["PATH"]])
    subprocess.run([str(part) for part in command], cwd=OUT, env=environment, check=True)


if __name__ == "__main__":
    main()
