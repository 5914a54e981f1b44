"""One JupyterLab server for the whole test run."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}
# Nothing here asks the network; the build check alone holds the server up for a second a page.
PAGE_CONFIG = {
    "buildCheck": False,
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,
        "@jupyterlab/extensionmanager-extension": True,
        # Buttons of Notebook and of Voilà in JupyterLab.
        "@jupyter-notebook/lab-extension": True,
        "@voila-dashboards/jupyterlab-preview": True,
    },
}

# A kernel that no process has been prepared for, beside the forked "python3".
PLAIN = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Plain",
    "language": "python",
    "metadata": {"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
}

# The server ends with the process that holds the other end of its stdin, however that one dies.
BOOT = f"""
import os, signal, sys, threading
sys.path.append({str(Path(__file__).parent)!r})
def watch():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
if sys.argv.pop(1) == "fork":
    from forkedkernels import fork_kernels
    fork_kernels()
from jupyterlab.labapp import main
main()
"""


class Server:
    """A JupyterLab server of its own: free port, fresh home, this interpreter's kernels.

    With `fork`, kernels are forks of a process that has imported what they import.
    """

    def __init__(self, home: Path, timeout: float = 60, *, fork: bool = False) -> None:
        self.home = home
        self.root = home / "notebooks"
        self.settings = home / "settings"
        self.root.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        for name, value in SETTINGS.items():
            self.set(name, value)
        config = home / "config" / "labconfig"
        config.mkdir(parents=True)
        (config / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
        kernel = home / "data" / "kernels" / "plain"
        kernel.mkdir(parents=True)
        (kernel / "kernel.json").write_text(json.dumps(PLAIN))
        self._log = home / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, "fork" if fork else "start", *self._options()],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
                cwd=self.root, env=self._environment(), start_new_session=True,
            )  # fmt: skip
        self.url = ""
        try:
            self._await(timeout)
        except BaseException:
            self.stop()
            raise

    def set(self, plugin: str, value: dict[str, Any]) -> None:
        """Write one plugin's user settings; the next page that opens has them."""
        path = self.settings / f"{plugin.replace(':', '/')}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def api(self, path: str, method: str = "GET", body: Any = None, timeout: float = 20) -> Any:
        """Ask the server's REST interface; the decoded answer."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        # No proxy of the environment stands between this process and 127.0.0.1.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=timeout) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def stop(self, timeout: float = 10) -> None:
        """End the server and its kernels, gently first."""
        process = self._process
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout)
        if process.stdin:
            process.stdin.close()

    def log(self, lines: int = 40) -> str:
        """Return the end of what the server printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def _options(self) -> list[str]:
        return [
            "--no-browser", "--allow-root",
            "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0",
            f"--ServerApp.root_dir={self.root}",
            f"--IdentityProvider.token={self.token}",
            f"--LabApp.user_settings_dir={self.settings}",
            f"--LabApp.workspaces_dir={self.home / 'workspaces'}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--LabApp.news_url=None",
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON"))}
        for name in ("config", "data", "runtime"):
            env[f"JUPYTER_{name.upper()}_DIR"] = str(self.home / name)
        env["IPYTHONDIR"] = str(self.home / "ipython")
        # Two BLAS threads beside a browser on few cores are slower than one.
        return env | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

    def _await(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"JupyterLab ended before it was ready:\n{self.log()}")
            if self._answers():
                return
            time.sleep(0.02)
        raise TimeoutError(f"JupyterLab not ready in {timeout} s:\n{self.log()}")

    def _answers(self) -> bool:
        found = next((self.home / "runtime").glob("jpserver-*.json"), None)
        if found is None:
            return False
        try:
            self.url = f"http://127.0.0.1:{json.loads(found.read_text())['port']}"
            self.api("status", timeout=2)
        except (OSError, ValueError):  # the file is half written, or nobody listens yet
            return False
        return True
