"""The build hook: a wheel, an sdist and an editable install all carry the built bundle."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = Path("src/attnwidget/static")
NOTEBOOK = "notebooks/self_attention_lab.ipynb"
BUILT = ("widget.js", "page.js", "widget.css", "bertviz_libs.js")


class BundleHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if not is_current(root):
            build(root)
        if self.target_name == "wheel" and version == "standard":
            # `attnwidget lab` opens the notebook; an editable install reads it where it is.
            build_data["force_include"][str(root / NOTEBOOK)] = f"attnwidget/{NOTEBOOK}"


def is_current(root: Path) -> bool:
    """Whether everything is built and newer than what it is built from."""
    built = [root / STATIC / name for name in BUILT]
    if not all(path.exists() for path in built):
        return False
    sources = [*root.glob("js/**/*"), *root.glob("scripts/*"), root / "package-lock.json"]
    newest = max((path.stat().st_mtime for path in sources if path.is_file()), default=0.0)
    return newest <= min(path.stat().st_mtime for path in built)


def build(root: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "attnwidget's bundle is not built, and npm was not found to build it: install "
            "Node.js 20 or newer, or install from a wheel"
        )
    if not (root / "node_modules").exists():
        subprocess.run([npm, "ci"], cwd=root, check=True)
    subprocess.run([npm, "run", "build"], cwd=root, check=True)
